"""Check every byte of a download of terms by arithmetic: verify_download.py [FILE [START]]

It reads text, lines, bfile, jsonl and csv. FILE may be - for standard input; START is its first
term, 0 if not given. Status 1: it is wrong.
"""

import sys
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, setcontext

JSON, CSV = '{"n": %d, "value": "%s"}\n', "%d,%s\r\n"
setcontext(Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact]))
path, start = (*sys.argv[1:], *("-", "0")[len(sys.argv) - 1 :])
n, f, after = int(start), Decimal(0), Decimal(1)  # F(0) and F(1); then F(n) and F(n+1)
for bit in f"{n:b}":  # fast doubling
    even, odd = f * (2 * after - f), f * f + after * after
    f, after = (odd, even + odd) if bit == "1" else (even, odd)
file = open(0 if path == "-" else path, "rb")  # noqa: PTH123, SIM115
begun = file.read(len(JSON % (n, f)))
for line in (JSON, CSV, "%d %s\n", "%.0s%s\n", "%.0s%s "):  # %.0s leaves n out
    header = b"n,value\r\n" if line == CSV else b""
    if begun.startswith(right := header + (line % (n, f)).encode()):
        break
while found := begun + file.read(max(len(right) - len(begun), 0)):
    if not found.startswith(right):
        sys.exit(f"F({n}) is wrong, cut short, or not what follows.")
    begun, n, f, after = found[len(right) :], n + 1, after, f + after
    right = (line % (n, f)).encode()
if n == int(start):
    sys.exit("There is no term in it.")
sys.stdout.write(f"F({start}) to F({n - 1}) are right: {n - int(start)} terms.\n")
