; Code of 6,003 words, most of them zero: dear to load.

.rodata
ZEROS:
    .zero 192000

.text
main:
    ret.ok r0
