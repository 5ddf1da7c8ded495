; Takes all ergs at once.

.text
main:
    invalid
