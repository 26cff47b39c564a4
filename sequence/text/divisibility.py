"""What divides F(n): F(d) by each divisor d of n, and a modulus once in its Pisano period."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import gcd, isqrt, lcm, prod

from sequence.text.facts import residue

MAX_FACTORED = 10**18
"""Numbers to here are factored in some 25 ms at most: products of two primes near 10^9 are the
slowest."""

_SMALL = 2048
"""Below it factors are found by trial division."""
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
_BATCH = 128
"""Steps of Pollard's method between two greatest common divisors."""


def divisors(n: int, most: int = 1000) -> list[int]:
    """Return the divisors of n, rising, the first `most`: F(d) divides F(n) for each of them, d.

    No other term divides it but F(2) = 1, for 1 <= n <= MAX_FACTORED.
    """
    found = [1]
    for prime, power in factors(n).items():
        powers = [prime**exponent for exponent in range(power + 1)]
        # What is cut has `most` smaller ones in each of the products that it is in.
        found = sorted(divisor * factor for divisor in found for factor in powers)[:most]
    return found


def divisor_count(n: int) -> int:
    """Return how many divisors n has: 103,680 at most for n <= MAX_FACTORED."""
    return prod(power + 1 for power in factors(n).values())


def pisano_period(modulus: int) -> int:
    """Return after how many terms the residues begin again, for moduli from 1 to MAX_FACTORED.

    Known multiples of the period of a prime power are divided by primes as long as they are
    periods (D. D. Wall, Fibonacci series modulo m, American Mathematical Monthly 67, 1960; it is
    not assumed that no prime p has the same period as p²).
    """
    return lcm(*(_of_prime_power(prime, power) for prime, power in factors(modulus).items()))


@lru_cache(maxsize=16)
def factors(n: int) -> Mapping[int, int]:
    """Return the primes of n, rising, each with its exponent, for 1 <= n <= MAX_FACTORED."""
    found: dict[int, int] = {}
    for prime in sorted(_primes_of(n)):
        found[prime] = found.get(prime, 0) + 1
    return found


def is_prime(n: int) -> bool:
    """Return whether n is prime, for n < 3·10^23.

    By Miller and Rabin's test with the first 12 primes (J. Sorenson, J. Webster, Strong
    pseudoprimes to twelve prime bases, Mathematics of Computation 86, 2017).
    """
    if n < 2 or any(n % prime == 0 for prime in _WITNESSES):
        return n in _WITNESSES
    twos = (n - 1 & 1 - n).bit_length() - 1
    return all(_passes(witness, n, twos) for witness in _WITNESSES)


def _of_prime_power(prime: int, power: int) -> int:
    """Return the Pisano period of a power of a prime."""
    modulus: int = prime**power
    period: int = prime ** (power - 1) * _multiple_of_period(prime)
    for factor in {prime, *factors(_multiple_of_period(prime))}:
        while period % factor == 0 and _is_period(period // factor, modulus):
            period //= factor
    return period


def _multiple_of_period(prime: int) -> int:
    """Return a multiple of a prime's Pisano period: by the residue of 5 modulo it."""
    if prime in (2, 5):
        return 3 if prime == 2 else 20
    return prime - 1 if prime % 5 in (1, 4) else 2 * (prime + 1)


def _is_period(terms: int, modulus: int) -> bool:
    return residue(terms, modulus) == 0 and residue(terms + 1, modulus) == 1 % modulus


def _passes(witness: int, n: int, twos: int) -> bool:
    power = pow(witness, n - 1 >> twos, n)
    if power in (1, n - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % n
        if power == n - 1:
            return True
    return False


def _primes_of(n: int) -> Iterator[int]:
    """Yield the primes of n, each as often as it divides."""
    for small in (2, *range(3, _SMALL, 2)):
        while n % small == 0:
            n //= small
            yield small
    rest = [n] if n > 1 else []
    while rest:
        part = rest.pop()
        if is_prime(part):
            yield part
        else:
            factor = _factor(part)
            rest += [factor, part // factor]


def _factor(n: int) -> int:
    """Return a factor of a composite number without small ones.

    Source: R. P. Brent, An improved Monte Carlo factorization algorithm, BIT 20, 1980.
    """
    root = isqrt(n)
    if root * root == n:
        return root
    return next(factor for seed in range(1, n) if 1 < (factor := _brent(n, seed)) < n)


def _brent(n: int, seed: int) -> int:
    """Return a factor of n; n itself if this seed does not find one."""
    turtle = hare = 2
    length = 1
    while True:
        turtle = hare
        for start in range(0, length, _BATCH):
            behind, differences = hare, []
            for _ in range(min(_BATCH, length - start)):
                hare = (hare * hare + seed) % n
                differences.append(turtle - hare)
            if (factor := gcd(_product(differences, n), n)) > 1:
                return factor if factor < n else _one_by_one(turtle, behind, n, seed)
        length *= 2


def _product(numbers: list[int], modulus: int) -> int:
    product = 1
    for number in numbers:
        product = product * number % modulus
    return product


def _one_by_one(turtle: int, hare: int, n: int, seed: int) -> int:
    """Return what the batch found, without the factors that it met at the same time."""
    while True:
        hare = (hare * hare + seed) % n
        if (factor := gcd(turtle - hare, n)) > 1:
            return factor
