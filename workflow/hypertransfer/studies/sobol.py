"""Sobol sequences of a few columns, for the designs of grids.

Grids are expanded whenever the Snakefile is parsed, on every node, and importing SciPy would take
longer than the expansion. A test compares the points with those of `scipy.stats.qmc.Sobol`.
"""

from __future__ import annotations

BITS = 30
# Degree s, coefficients a and initial numbers m of the primitive polynomials of columns 1 to 5
# (Joe and Kuo 2008, new-joe-kuo-6.21201); column 0 is van der Corput's sequence.
POLYNOMIALS = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
)
COLUMNS = len(POLYNOMIALS) + 1


def column(index: int, points: int) -> list[float]:
    """The first `points` numbers of a column in [0, 1), each at the middle of its cell.

    The number of cells is `points`, rounded up to a power of two. If `points` is a power of two,
    every cell has one number.
    """
    directions = _directions(index)
    cell = 1 << (points - 1).bit_length()
    numbers, state = [], 0
    for i in range(points):
        numbers.append(state / 2**BITS + 0.5 / cell)
        state ^= directions[(~i & (i + 1)).bit_length() - 1]  # Gray code: the lowest zero bit of i
    return numbers


def _directions(index: int) -> list[int]:
    if index == 0:
        return [1 << (BITS - 1 - i) for i in range(BITS)]
    degree, coefficients, numbers = POLYNOMIALS[index - 1]
    directions = [m << (BITS - 1 - i) for i, m in enumerate(numbers)]
    for i in range(degree, BITS):
        value = directions[i - degree] ^ (directions[i - degree] >> degree)
        for k in range(1, degree):
            if coefficients >> (degree - 1 - k) & 1:
                value ^= directions[i - k]
        directions.append(value)
    return directions
