"""The S2 cell of a point, computed from the definition: to check what the program gets from the S2 library."""
import math

LEVELS = 30
# Of the four parts of a square (2 * column + row), which comes where on the Hilbert curve, for each of its four
# orientations; and what entering that part does to the orientation (bit 0 swaps the axes, bit 1 turns both round).
PARTS = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))
TURNS = (1, 0, 0, 3)


def cell(latitude, longitude):
    """As text: the face of the cube and 30 digits, e.g. "1/223320022311000122033012212321"."""
    phi, theta = math.radians(latitude), math.radians(longitude)
    point = (math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi))
    axis = max(range(3), key=lambda i: abs(point[i]))
    face = axis + (3 if point[axis] < 0 else 0)
    x, y, z = point
    pairs = ((y, z), (-x, z), (-x, -y), (z, y), (z, -x), (-y, -x))
    column, row = (place(value / point[axis]) for value in pairs[face])
    orientation, digits = face & 1, ""
    for bit in reversed(range(LEVELS)):
        part = (column >> bit & 1) * 2 + (row >> bit & 1)
        digit = PARTS[orientation].index(part)
        digits += str(digit)
        orientation ^= TURNS[digit]
    return f"{face}/{digits}"


def place(value):
    """From -1 to 1 on a face to one of 2^30 columns: cells get about the same area by a quadratic curve."""
    curved = 0.5 * math.sqrt(1 + 3 * value) if value >= 0 else 1 - 0.5 * math.sqrt(1 - 3 * value)
    return max(0, min((1 << LEVELS) - 1, math.floor(curved * (1 << LEVELS))))
