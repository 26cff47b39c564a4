"""Terms far out modulo a number, by a matrix that is squared."""

Matrix = tuple[int, int, int, int]


def residue(n: int, modulus: int) -> int:
    """F(n) modulo the number, from (1 1; 1 0)^n = (F(n+1) F(n); F(n) F(n-1))."""

    def times(a: Matrix, b: Matrix) -> Matrix:
        return (
            (a[0] * b[0] + a[1] * b[2]) % modulus,
            (a[0] * b[1] + a[1] * b[3]) % modulus,
            (a[2] * b[0] + a[3] * b[2]) % modulus,
            (a[2] * b[1] + a[3] * b[3]) % modulus,
        )

    power, square = (1 % modulus, 0, 0, 1 % modulus), (1, 1, 1, 0)
    while n:
        power = times(power, square) if n % 2 else power
        square = times(square, square)
        n //= 2
    return power[1]
