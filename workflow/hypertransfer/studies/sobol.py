"""Sobol sequences of few columns, for the designs of grids.

A grid is expanded whenever a Snakefile is read, on every node: importing SciPy's takes longer than
all else there. These are the same points, which a test holds against it.
"""

from __future__ import annotations

BITS = 30
# Degree s, coefficients a and initial numbers m of the primitive polynomials of columns 1 to 5
# (Joe and Kuo 2008, new-joe-kuo-6.21201); column 0 is van der Corput's sequence.
POLYNOMIALS = ((1, 0, (1,)), (2, 1, (1, 3)), (3, 1, (1, 3, 1)), (3, 2, (1, 1, 1)),
               (4, 1, (1, 1, 3, 3)))  # fmt: skip
COLUMNS = len(POLYNOMIALS) + 1


def column(index: int, points: int) -> list[float]:
    """The first points of a column, each in the middle of its cell of a grid of that many.

    Numbers of points that are powers of two fill every cell once.
    """
    directions = _directions(index)
    cell = 1 << (points - 1).bit_length()
    out, state = [], 0
    for i in range(points):
        out.append(state / 2**BITS + 0.5 / cell)
        state ^= directions[(~i & (i + 1)).bit_length() - 1]  # Gray code: the lowest zero bit of i
    return out


def _directions(index: int) -> list[int]:
    if index == 0:
        return [1 << (BITS - 1 - i) for i in range(BITS)]
    degree, coefficients, numbers = POLYNOMIALS[index - 1]
    out = [m << (BITS - 1 - i) for i, m in enumerate(numbers)]
    for i in range(degree, BITS):
        value = out[i - degree] ^ (out[i - degree] >> degree)
        for k in range(1, degree):
            if coefficients >> (degree - 1 - k) & 1:
                value ^= out[i - k]
        out.append(value)
    return out
