; A validator of pubdata that accepts all: answers how many bytes it was given.

.rodata
ANSWER:
    .cell ret(0, 32)

.text
main:
    shr.s 96, r1, r2
    st.1 0, r2
    add @ANSWER[0], r0, r1
    ret.ok r1
