"""Kernels of the renderer in numba: rays against boxes, textures, lights and soft shadows.

What always holds: a ray has z = 1 in camera axes, so the distance parameter of a hit *is* its z-depth. Three culling steps
keep it fast and are conservative, so they never change a result: boxes are bounded on the screen once a frame, around each
light a cube of cells lists the boxes that can cast a shadow in each direction, and the cells in which moving objects may be
are marked once a frame. Kernels run serially without the GIL.
Moving objects are an argument that may be None: numba compiles the two cases apart, so rooms at rest pay nothing for them (a
condition of one case must begin with the bare test of None). `moving`, in a frame without its axis of time, is
(poses [T, P, 4, 4] of the parts, part to room; shapes [P, 4]: 1 for a ball or 0 for a box, half sizes or radius;
starts [K + 1]: object k has the parts starts[k] .. starts[k + 1] - 1; spheres [T, K, 4]: centre and radius around object k).
They stay in one file because numba's cache does not notice changes in functions of other files.
"""

import math

import numba
import numpy as np

from .room_textures import MIP_LEVELS, MIP_OFFSETS, TEXTURE_SIZE

NEAR = 1e-3
GRID = 8  # cells along one side of a face of a light's cube
DIRECTIONS = 6 * GRID * GRID
_OFFSETS = np.array(MIP_OFFSETS)
_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)])
# `_inner` is for what allocates nothing. Counting references to arrays and copying their descriptions at each call took
# half of all time, so it does without: no counts, and always a part of its caller.
_jit = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
_inner = numba.njit(  # type: ignore[call-overload]  # the stubs know no _nrt
    cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True, _nrt=False
)


@_inner
def _corner(boxes, box, number):
    """Corner 0..7 of a box in room coordinates."""
    x = boxes[box, 3] if number & 1 else -boxes[box, 3]
    y = boxes[box, 4] if number & 2 else -boxes[box, 4]
    z = boxes[box, 5] if number & 4 else -boxes[box, 5]
    cosine, sine = boxes[box, 6], boxes[box, 7]
    return boxes[box, 0] + cosine * x - sine * z, boxes[box, 1] + y, boxes[box, 2] + sine * x + cosine * z


@_inner
def _projected_bounds(corners):
    """Bounds (x0, x1, y0, y1) of x/w, y/w and the smallest w of a box with corners [8, 3] = (x, y, w), cut at w = NEAR.

    A box wholly behind the plane gets x0 > x1.
    """
    x0, x1, y0, y1, nearest = math.inf, -math.inf, math.inf, -math.inf, math.inf
    for number in range(8):
        w = corners[number, 2]
        nearest = min(nearest, w)
        if w >= NEAR:
            x, y = corners[number, 0] / w, corners[number, 1] / w
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    if nearest < NEAR:
        for edge in range(12):
            a, b = _EDGES[edge, 0], _EDGES[edge, 1]
            if (corners[a, 2] < NEAR) != (corners[b, 2] < NEAR):
                share = (NEAR - corners[a, 2]) / (corners[b, 2] - corners[a, 2])
                x = (corners[a, 0] + share * (corners[b, 0] - corners[a, 0])) / NEAR
                y = (corners[a, 1] + share * (corners[b, 1] - corners[a, 1])) / NEAR
                x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    return x0, x1, y0, y1, nearest


@_inner
def _write_pixel_range(x0, x1, y0, y1, intrinsics, height, width, bounds):
    """Inclusive pixel ranges (column 0, 1, row 0, 1) of bounds on the plane z = 1; an empty range where x0 > x1."""
    if x0 > x1:
        bounds[0], bounds[1], bounds[2], bounds[3] = 1, 0, 1, 0
        return
    for axis, low, high, size in ((0, x0, x1, width), (1, y0, y1, height)):
        focal, centre = intrinsics[axis], intrinsics[2 + axis]
        bounds[2 * axis] = int(min(max(math.floor((low * focal + centre) * size - 1e-6), -1.0), size))
        bounds[2 * axis + 1] = int(min(max(math.floor((high * focal + centre) * size + 1e-6), -1.0), size))


@_jit
def _screen_bounds(boxes, pose, intrinsics, height, width, bounds, nearest):
    """Fills bounds [N, 4] with inclusive pixel ranges (column 0, 1, row 0, 1) and nearest [N] with the smallest z."""
    corners = np.empty((8, 3))
    for box in range(boxes.shape[0]):
        for number in range(8):
            x, y, z = _corner(boxes, box, number)
            x, y, z = x - pose[0, 3], y - pose[1, 3], z - pose[2, 3]
            for axis in range(3):
                corners[number, axis] = pose[0, axis] * x + pose[1, axis] * y + pose[2, axis] * z
        x0, x1, y0, y1, nearest[box] = _projected_bounds(corners)
        _write_pixel_range(x0, x1, y0, y1, intrinsics, height, width, bounds[box])


@_jit
def _object_bounds(spheres, pose, intrinsics, height, width, bounds):
    """As `_screen_bounds`, of the moving objects of a frame by the cubes around their spheres [K, 4]."""
    corners = np.empty((8, 3))
    for thing in range(spheres.shape[0]):
        x, y, z = spheres[thing, 0] - pose[0, 3], spheres[thing, 1] - pose[1, 3], spheres[thing, 2] - pose[2, 3]
        for number in range(8):
            for axis in range(3):
                side = 1.0 if number >> axis & 1 else -1.0
                along = pose[0, axis] * x + pose[1, axis] * y + pose[2, axis] * z
                corners[number, axis] = along + side * spheres[thing, 3]
        x0, x1, y0, y1, _ = _projected_bounds(corners)
        _write_pixel_range(x0, x1, y0, y1, intrinsics, height, width, bounds[thing])


@_jit
def light_cells(boxes, is_solid, lights, cells, counts):
    """Lists for each light, and each of the DIRECTIONS cells around it, the solid boxes that may lie there."""
    corners = np.empty((8, 3))
    counts[:] = 0
    for light in range(lights.shape[0]):
        for box in range(boxes.shape[0]):
            for face in range(6):
                if not is_solid[box]:
                    continue
                axis, sign = face // 2, 1.0 - 2.0 * (face % 2)
                first, second = (axis + 1) % 3, (axis + 2) % 3
                for number in range(8):
                    point = _corner(boxes, box, number)
                    corners[number, 0] = point[first] - lights[light, first]
                    corners[number, 1] = point[second] - lights[light, second]
                    corners[number, 2] = sign * (point[axis] - lights[light, axis])
                u0, u1, v0, v1, _ = _projected_bounds(corners)
                if u0 > u1 or u0 > 1.001 or u1 < -1.001 or v0 > 1.001 or v1 < -1.001:
                    continue
                for row in range(_cell_of(v0 - 1e-4), _cell_of(v1 + 1e-4) + 1):
                    for column in range(_cell_of(u0 - 1e-4), _cell_of(u1 + 1e-4) + 1):
                        cell = light * DIRECTIONS + (face * GRID + row) * GRID + column
                        cells[cell, counts[cell]] = box
                        counts[cell] += 1


@_jit
def _object_cells(spheres, lights, cells):
    """Marks, for each light, the cells around it in which a moving object of a frame may lie, by the cubes around spheres."""
    corners = np.empty((8, 3))
    cells[:] = False
    for light in range(lights.shape[0]):
        for thing in range(spheres.shape[0]):
            for face in range(6):
                axis, sign, reach = face // 2, 1.0 - 2.0 * (face % 2), spheres[thing, 3]
                first, second = (axis + 1) % 3, (axis + 2) % 3
                for number in range(8):
                    for place, along, side in ((0, first, 1.0), (1, second, 1.0), (2, axis, sign)):
                        shift = reach if number >> place & 1 else -reach
                        corners[number, place] = side * (spheres[thing, along] + shift - lights[light, along])
                u0, u1, v0, v1, _ = _projected_bounds(corners)
                if u0 > u1 or u0 > 1.001 or u1 < -1.001 or v0 > 1.001 or v1 < -1.001:
                    continue
                for row in range(_cell_of(v0 - 1e-4), _cell_of(v1 + 1e-4) + 1):
                    for column in range(_cell_of(u0 - 1e-4), _cell_of(u1 + 1e-4) + 1):
                        cells[light * DIRECTIONS + (face * GRID + row) * GRID + column] = True


@_inner
def _cell_of(position):
    """Cell number along one side for a coordinate in -1..1 (clamped)."""
    return int(min(max((position + 1.0) * (0.5 * GRID), 0.0), GRID - 1.0))


@_inner
def _direction_cell(x, y, z):
    """The cell of the cube around a light that holds a direction; the same layout as in `light_cells`."""
    ax, ay, az = abs(x), abs(y), abs(z)
    if ax >= ay and ax >= az:
        face, u, v, major = (0 if x > 0 else 1), y, z, ax
    elif ay >= az:
        face, u, v, major = (2 if y > 0 else 3), z, x, ay
    else:
        face, u, v, major = (4 if z > 0 else 5), x, y, az
    return (face * GRID + _cell_of(v / major)) * GRID + _cell_of(u / major)


@_inner
def _safe(component):
    """Keeps a component of a direction away from zero, so that it can be divided by."""
    if abs(component) < 1e-9:
        return 1e-9
    return component


@_inner
def _slabs(boxes, box, ox, oy, oz, dx, dy, dz):
    """Entry and exit parameters of a ray and the local axis of the face it enters; entry > exit means a miss."""
    cosine, sine = boxes[box, 6], boxes[box, 7]
    ex, ey, ez = ox - boxes[box, 0], oy - boxes[box, 1], oz - boxes[box, 2]
    inverse_x = 1.0 / _safe(cosine * dx + sine * dz)
    inverse_y = 1.0 / dy
    inverse_z = 1.0 / _safe(cosine * dz - sine * dx)
    middle_x, reach_x = -(cosine * ex + sine * ez) * inverse_x, boxes[box, 3] * abs(inverse_x)
    middle_y, reach_y = -ey * inverse_y, boxes[box, 4] * abs(inverse_y)
    middle_z, reach_z = -(cosine * ez - sine * ex) * inverse_z, boxes[box, 5] * abs(inverse_z)
    entry, axis = middle_x - reach_x, 0
    if middle_y - reach_y > entry:
        entry, axis = middle_y - reach_y, 1
    if middle_z - reach_z > entry:
        entry, axis = middle_z - reach_z, 2
    return entry, min(middle_x + reach_x, middle_y + reach_y, middle_z + reach_z), axis


@_inner
def _shell_hit(shell, ox, oy, oz, dx, dy, dz):
    """Distance to the shell from inside, and the axis of the face hit."""
    best, axis = ((shell[1] if dx > 0 else shell[0]) - ox) / dx, 0
    along_y = ((shell[3] if dy > 0 else shell[2]) - oy) / dy
    along_z = ((shell[5] if dz > 0 else shell[4]) - oz) / dz
    if along_y < best:
        best, axis = along_y, 1
    if along_z < best:
        best, axis = along_z, 2
    return best, axis


@_inner
def _nearest_hit(shell, boxes, candidates, count, nearest, ox, oy, oz, dx, dy, dz):
    """Nearest surface on a ray: (z-depth, box or -1 for the shell, axis of the face)."""
    best, axis = _shell_hit(shell, ox, oy, oz, dx, dy, dz)
    hit = -1
    for number in range(count):
        box = candidates[number]
        if nearest[box] >= best:
            continue
        entry, leave, face = _slabs(boxes, box, ox, oy, oz, dx, dy, dz)
        if entry < leave and entry > 1e-4 and entry < best:
            best, hit, axis = entry, box, face
    return best, hit, axis


@_inner
def _in_part(poses, part, x, y, z):
    """A vector of the room in the axes of a moving part."""
    return (
        poses[part, 0, 0] * x + poses[part, 1, 0] * y + poses[part, 2, 0] * z,
        poses[part, 0, 1] * x + poses[part, 1, 1] * y + poses[part, 2, 1] * z,
        poses[part, 0, 2] * x + poses[part, 1, 2] * y + poses[part, 2, 2] * z,
    )


@_inner
def _part_span(poses, shapes, part, ox, oy, oz, dx, dy, dz):
    """As `_slabs`, of a moving part; the axis is 3 for a ball."""
    ex, ey, ez = _in_part(poses, part, ox - poses[part, 0, 3], oy - poses[part, 1, 3], oz - poses[part, 2, 3])
    fx, fy, fz = _in_part(poses, part, dx, dy, dz)
    if shapes[part, 0] > 0.0:
        square = fx * fx + fy * fy + fz * fz
        middle = -(ex * fx + ey * fy + ez * fz) / square
        reach = middle * middle - (ex * ex + ey * ey + ez * ez - shapes[part, 1] * shapes[part, 1]) / square
        if reach <= 0.0:
            return 1.0, 0.0, 3
        reach = math.sqrt(reach)
        return middle - reach, middle + reach, 3
    inverse_x, inverse_y, inverse_z = 1.0 / _safe(fx), 1.0 / _safe(fy), 1.0 / _safe(fz)
    middle_x, reach_x = -ex * inverse_x, shapes[part, 1] * abs(inverse_x)
    middle_y, reach_y = -ey * inverse_y, shapes[part, 2] * abs(inverse_y)
    middle_z, reach_z = -ez * inverse_z, shapes[part, 3] * abs(inverse_z)
    entry, axis = middle_x - reach_x, 0
    if middle_y - reach_y > entry:
        entry, axis = middle_y - reach_y, 1
    if middle_z - reach_z > entry:
        entry, axis = middle_z - reach_z, 2
    return entry, min(middle_x + reach_x, middle_y + reach_y, middle_z + reach_z), axis


@_inner
def _is_within_any(bounds, row, column):
    """Whether a pixel is in one of the ranges of `_object_bounds`."""
    for thing in range(len(bounds)):
        if bounds[thing, 0] <= column <= bounds[thing, 1] and bounds[thing, 2] <= row <= bounds[thing, 3]:
            return True
    return False


@_inner
def _nearest_part(moving, bounds, row, column, first, ox, oy, oz, dx, dy, dz, best, hit, axis):
    """The nearest moving part on a ray through a pixel, as hit number `first` + part, or the given hit if that is nearer."""
    poses, shapes, starts, _ = moving
    for thing in range(bounds.shape[0]):
        if bounds[thing, 0] <= column <= bounds[thing, 1] and bounds[thing, 2] <= row <= bounds[thing, 3]:
            for part in range(starts[thing], starts[thing + 1]):
                entry, leave, face = _part_span(poses, shapes, part, ox, oy, oz, dx, dy, dz)
                if entry < leave and entry > 1e-4 and entry < best:
                    best, hit, axis = entry, first + part, face
    return best, hit, axis


@_inner
def _is_shadowed_by_part(moving, lx, ly, lz, dx, dy, dz):
    """As `_is_shadowed`, by a moving part; objects whose sphere the way does not cross are passed over."""
    poses, shapes, starts, spheres = moving
    square = dx * dx + dy * dy + dz * dz
    for thing in range(len(spheres)):
        cx, cy, cz = spheres[thing, 0] - lx, spheres[thing, 1] - ly, spheres[thing, 2] - lz
        share = min(max((cx * dx + cy * dy + cz * dz) / square, 0.0), 1.0)
        cx, cy, cz = cx - share * dx, cy - share * dy, cz - share * dz
        if cx * cx + cy * cy + cz * cz > spheres[thing, 3] * spheres[thing, 3]:
            continue
        for part in range(starts[thing], starts[thing + 1]):
            entry, leave, _ = _part_span(poses, shapes, part, lx, ly, lz, dx, dy, dz)
            if entry < leave and entry < 1.0 and leave > 0.0:
                return True
    return False


@_inner
def _is_shadowed(boxes, cells, counts, cell, lx, ly, lz, dx, dy, dz):
    """Whether a solid box of a cell stands between a light at (lx, ly, lz) and a point (dx, dy, dz) away."""
    for number in range(counts[cell]):
        entry, leave, _ = _slabs(boxes, cells[cell, number], lx, ly, lz, dx, dy, dz)
        if entry < leave and entry < 1.0 and leave > 0.0:
            return True
    return False


@_inner
def _bilinear(packed, texture, level, u, v, total):
    """Bilinear lookup of a mip level at (u, v), in repeats: `total` (at most 4096) times the packed colour."""
    size = TEXTURE_SIZE >> level
    x, y = (u - math.floor(u)) * size - 0.5, (v - math.floor(v)) * size - 0.5
    column, row = math.floor(x), math.floor(y)
    x0, y0 = int(column) & (size - 1), int(row) & (size - 1)
    x1, y1 = (x0 + 1) & (size - 1), (y0 + 1) & (size - 1)
    below = int((y - row) * total + 0.5)
    right_above, right_below = int((x - column) * (total - below) + 0.5), int((x - column) * below + 0.5)
    start = _OFFSETS[level]
    return (
        packed[texture, start + y0 * size + x0] * np.uint64(total - below - right_above)
        + packed[texture, start + y0 * size + x1] * np.uint64(right_above)
        + packed[texture, start + y1 * size + x0] * np.uint64(below - right_below)
        + packed[texture, start + y1 * size + x1] * np.uint64(right_below)
    )


@_inner
def _lookup(packed, texture, u, v, footprint):
    """Texture colour (0..1) at (u, v); footprint is the width of a sample in texels and chooses the mip level.

    Between levels it blends over the middle half of the way only, which saves half of the second lookups. Colours are
    three lanes of 21 bits in one integer (`packed_texels`), so one multiplication weighs all three.
    """
    level = min(max(math.log2(footprint + 1e-6), 0.0), MIP_LEVELS - 1.001)
    lower = int(level)
    coarse = int(4096.0 * min(max(2.0 * (level - lower) - 0.5, 0.0), 1.0))
    lanes = np.uint64(0)
    if coarse < 4096:
        lanes += _bilinear(packed, texture, lower, u, v, 4096 - coarse)
    if coarse > 0:
        lanes += _bilinear(packed, texture, lower + 1, u, v, coarse)
    mask, unit = np.uint64(0x1FFFFF), 1.0 / (255.0 * 4096.0)
    red, green = lanes & mask, (lanes >> np.uint64(21)) & mask
    return red * unit, green * unit, (lanes >> np.uint64(42)) * unit


@_inner
def _soft_clip(value):
    """Keeps 0..0.85 as it is and lets brighter values approach 1."""
    if value <= 0.85:
        return value
    return 1.0 - 0.15 * math.exp((0.85 - value) / 0.15)


@_inner
def _contact(distance, reach, depth):
    """Darkening of ambient light near another surface: 1 - depth at distance 0, 1 from `reach` on."""
    share = 1.0 - min(max(distance / reach, 0.0), 1.0)
    return 1.0 - depth * share * share


@_inner
def _shell_surface(shell, materials, axis, px, py, pz, dx, dy, dz):
    """Surface of a shell face: material, texture, (u, v) in repeats, repeats a metre, normal, cosine, contact shade."""
    gap_x, gap_y, gap_z = min(px - shell[0], shell[1] - px), py - shell[2], min(pz - shell[4], shell[5] - pz)
    gap_y = min(gap_y, shell[3] - py)
    nx, ny, nz = 0.0, 0.0, 0.0
    along, u, v, gap = dx, pz, py, min(gap_y, gap_z)
    if axis == 0:
        nx = -1.0 if dx > 0 else 1.0
    elif axis == 1:
        along, u, v, gap, ny = dy, px, pz, min(gap_x, gap_z), (-1.0 if dy > 0 else 1.0)
    else:
        along, u, v, gap, nz = dz, px, py, min(gap_x, gap_y), (-1.0 if dz > 0 else 1.0)
    material = len(materials) - 6 + 2 * axis + (1 if along > 0 else 0)
    scale, contact = materials[material, 2], _contact(gap, 0.6, 0.4)
    return material, int(materials[material, 0]), u * scale, v * scale, scale, nx, ny, nz, abs(along), contact


@_inner
def _box_surface(shell, boxes, materials, box, axis, px, py, pz, dx, dy, dz):
    """Surface of a box face, as `_shell_surface`; on a picture the texture spans the face."""
    cosine, sine = boxes[box, 6], boxes[box, 7]
    ex, ey, ez = px - boxes[box, 0], py - boxes[box, 1], pz - boxes[box, 2]
    local_x, local_z = cosine * ex + sine * ez, cosine * ez - sine * ex
    nx, ny, nz = 0.0, 0.0, 0.0
    texture = materials[box, 0]
    contact = _contact(min(shell[3] - py, py - shell[2]), 0.4, 0.35)
    if axis == 0:
        along = cosine * dx + sine * dz
        sign = -1.0 if along > 0 else 1.0
        nx, nz = cosine * sign, sine * sign
        u, v, half_u, half_v = local_z, ey, boxes[box, 5], boxes[box, 4]
    elif axis == 1:
        along, ny, texture, contact = dy, (-1.0 if dy > 0 else 1.0), materials[box, 1], 1.0
        u, v, half_u, half_v = local_x, local_z, boxes[box, 3], boxes[box, 5]
    else:
        along = cosine * dz - sine * dx
        sign = -1.0 if along > 0 else 1.0
        nx, nz = -sine * sign, cosine * sign
        u, v, half_u, half_v = local_x, ey, boxes[box, 3], boxes[box, 4]
    scale = materials[box, 2]
    if materials[box, 7] > 0.0:
        scale = 0.5 / min(half_u, half_v)
        u, v = 0.5 + 0.496 * u / half_u, 0.5 + 0.496 * v / half_v
    else:
        u, v = u * scale, v * scale
    return box, int(texture), u, v, scale, nx, ny, nz, abs(along), contact


@_inner
def _part_surface(shell, moving, part, materials, material, axis, px, py, pz, dx, dy, dz):
    """Surface of a moving part, as `_box_surface`; textures go round a ball `scale` times."""
    poses, shapes, _, _ = moving
    pose, shape = poses[part], shapes[part]
    ex, ey, ez = _in_part(poses, part, px - pose[0, 3], py - pose[1, 3], pz - pose[2, 3])
    texture, scale = materials[material, 0], materials[material, 2]
    contact = _contact(min(shell[3] - py, py - shell[2]), 0.4, 0.35)
    if axis == 3:
        ex, ey, ez = ex / shape[1], ey / shape[1], ez / shape[1]
        across = math.sqrt(max(1.0 - ey * ey, 1e-12))
        u, v = math.atan2(ex, ez) * scale / (2.0 * math.pi), math.atan2(ey, across) * scale / (2.0 * math.pi)
        nx = pose[0, 0] * ex + pose[0, 1] * ey + pose[0, 2] * ez
        ny = pose[1, 0] * ex + pose[1, 1] * ey + pose[1, 2] * ez
        nz = pose[2, 0] * ex + pose[2, 1] * ey + pose[2, 2] * ez
        scale = scale / (2.0 * math.pi * shape[1] * max(across, 0.3))
        return material, int(texture), u, v, scale, nx, ny, nz, abs(nx * dx + ny * dy + nz * dz), contact
    nx, ny, nz = pose[0, axis], pose[1, axis], pose[2, axis]
    along = nx * dx + ny * dy + nz * dz
    if along > 0.0:
        nx, ny, nz = -nx, -ny, -nz
    if axis == 0:
        u, v, half_u, half_v = ez, ey, shape[3], shape[2]
    elif axis == 1:
        texture, u, v, half_u, half_v = materials[material, 1], ex, ez, shape[1], shape[3]
    else:
        u, v, half_u, half_v = ex, ey, shape[1], shape[2]
    if materials[material, 7] > 0.0:
        scale = 0.5 / min(half_u, half_v)
        u, v = 0.5 + 0.496 * u / half_u, 0.5 + 0.496 * v / half_v
    else:
        u, v = u * scale, v * scale
    return material, int(texture), u, v, scale, nx, ny, nz, abs(along), contact


@_inner
def _light(boxes, lights, light_colour, cells, counts, moving, moving_cells, sample, px, py, pz, nx, ny, nz):
    """Light of all lamps (red, green, blue) on a surface point: Lambert, falling off with distance, with shadows."""
    red, green, blue = 0.0, 0.0, 0.0
    for number in range(light_colour.shape[0]):
        light = sample * light_colour.shape[0] + number
        lx, ly, lz = lights[light, 0], lights[light, 1], lights[light, 2]
        dx, dy, dz = px - lx, py - ly, pz - lz
        facing = -(nx * dx + ny * dy + nz * dz)
        if facing <= 0.0:
            continue
        square = dx * dx + dy * dy + dz * dz + 1e-9
        strength = 0.8 * facing / (math.sqrt(square) * (0.75 + 0.11 * square))
        if strength < 0.01:
            continue
        lift = 2e-3  # metres off the surface, so that a box does not shadow itself
        dx, dy, dz = dx + lift * nx, dy + lift * ny, dz + lift * nz
        dx, dy, dz = _safe(dx), _safe(dy), _safe(dz)
        cell = light * DIRECTIONS + _direction_cell(dx, dy, dz)
        is_dark = _is_shadowed(boxes, cells, counts, cell, lx, ly, lz, dx, dy, dz)
        if moving is not None and not is_dark and moving_cells[cell]:
            is_dark = _is_shadowed_by_part(moving, lx, ly, lz, dx, dy, dz)
        if not is_dark:
            red += strength * light_colour[number, 0]
            green += strength * light_colour[number, 1]
            blue += strength * light_colour[number, 2]
    return red, green, blue


@_inner
def _shade(shell, boxes, materials, lights, light_colour, cells, counts, packed, moving, moving_cells, sample,
           pixel_angle, ox, oy, oz, dx, dy, dz, depth, hit, axis):  # fmt: skip
    """The colour (0..1) that a hit shows."""
    px, py, pz = ox + depth * dx, oy + depth * dy, oz + depth * dz
    if hit < 0:
        surface = _shell_surface(shell, materials, axis, px, py, pz, dx, dy, dz)
    elif moving is None or hit < boxes.shape[0]:
        surface = _box_surface(shell, boxes, materials, hit, axis, px, py, pz, dx, dy, dz)
    else:
        part = hit - boxes.shape[0]
        surface = _part_surface(shell, moving, part, materials, hit, axis, px, py, pz, dx, dy, dz)
    material, texture, u, v, scale, nx, ny, nz, along, contact = surface
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    footprint = depth * length * pixel_angle * TEXTURE_SIZE * scale / math.sqrt(max(along / length, 0.06))
    texel_red, texel_green, texel_blue = _lookup(packed, texture, u, v, footprint)
    red = green = blue = materials[material, 6]
    if red == 0.0:
        ambient = (0.47 + 0.13 * max(ny, 0.0) + 0.035 * nx + 0.02 * nz) * contact
        red, green, blue = _light(boxes, lights, light_colour, cells, counts, moving, moving_cells, sample,
                                  px, py, pz, nx, ny, nz)  # fmt: skip
        red, green, blue = red + ambient, green + ambient, blue + ambient
    return (
        _soft_clip(texel_red * materials[material, 3] * red),
        _soft_clip(texel_green * materials[material, 4] * green),
        _soft_clip(texel_blue * materials[material, 5] * blue),
    )


@_inner
def _object_of(starts, part):
    """Which moving object a part belongs to."""
    thing = 0
    while starts[thing + 1] <= part:
        thing += 1
    return thing


@_jit
def render_frames(frames, poses, intrinsics, shell, boxes, materials, lights, light_colour, cells, counts, packed,
                   moving, antialias, rgb, depth, object_ids):  # fmt: skip
    """Renders the listed frames into rgb [T, H, W, 3] and depth [T, H, W]; with antialias 0 only the depth.

    object_ids [T, H, W] gets 1 + the number of the moving object at a pixel's centre, and is left alone if `moving` is None.
    """
    height, width = depth.shape[1], depth.shape[2]
    bounds, nearest = np.empty((boxes.shape[0], 4), np.int64), np.empty(boxes.shape[0])
    in_row, in_pixel = np.empty(boxes.shape[0], np.int64), np.empty(boxes.shape[0], np.int64)
    moving_cells = np.empty(0 if moving is None else len(counts), np.bool_)
    samples = antialias * antialias
    for frame in frames:
        pose, lens = poses[frame], intrinsics[frame]
        ox, oy, oz = pose[0, 3], pose[1, 3], pose[2, 3]
        _screen_bounds(boxes, pose, lens, height, width, bounds, nearest)
        if moving is not None:
            here = (moving[0][frame], moving[1], moving[2], moving[3][frame])
            object_bounds = np.empty((len(here[3]), 4), np.int64)
            _object_bounds(here[3], pose, lens, height, width, object_bounds)
            if samples > 0:
                _object_cells(here[3], lights, moving_cells)
        else:
            here = None
        pixel_angle = 1.2 / (max(antialias, 1) * math.sqrt(lens[0] * width * lens[1] * height))
        for row in range(height):
            row_count = 0
            for box in range(boxes.shape[0]):
                if bounds[box, 2] <= row <= bounds[box, 3]:
                    in_row[row_count] = box
                    row_count += 1
            for column in range(width):
                count = 0
                for number in range(row_count):
                    box = in_row[number]
                    if bounds[box, 0] <= column <= bounds[box, 1]:
                        in_pixel[count] = box
                        count += 1
                is_object_near = False
                if moving is not None:
                    is_object_near = _is_within_any(object_bounds, row, column)
                red, green, blue = 0.0, 0.0, 0.0
                for sample in range(-1, samples):
                    shift_x, shift_y = 0.5, 0.5
                    if sample >= 0:
                        shift_x = (sample % antialias + 0.5) / antialias
                        shift_y = (sample // antialias + 0.5) / antialias
                    x = ((column + shift_x) / width - lens[2]) / lens[0]
                    y = ((row + shift_y) / height - lens[3]) / lens[1]
                    dx = _safe(pose[0, 0] * x + pose[0, 1] * y + pose[0, 2])
                    dy = _safe(pose[1, 0] * x + pose[1, 1] * y + pose[1, 2])
                    dz = _safe(pose[2, 0] * x + pose[2, 1] * y + pose[2, 2])
                    best, hit, axis = _nearest_hit(shell, boxes, in_pixel, count, nearest, ox, oy, oz, dx, dy, dz)
                    if moving is not None and is_object_near:
                        best, hit, axis = _nearest_part(here, object_bounds, row, column, boxes.shape[0],
                                                        ox, oy, oz, dx, dy, dz, best, hit, axis)  # fmt: skip
                    if sample < 0:
                        depth[frame, row, column] = best
                        if moving is not None and hit >= boxes.shape[0]:
                            object_ids[frame, row, column] = _object_of(moving[2], hit - boxes.shape[0]) + 1
                        continue
                    colour = _shade(shell, boxes, materials, lights, light_colour, cells, counts, packed,
                                    here, moving_cells, sample, pixel_angle, ox, oy, oz, dx, dy, dz, best, hit, axis)  # fmt: skip
                    red, green, blue = red + colour[0], green + colour[1], blue + colour[2]
                if samples > 0:
                    rgb[frame, row, column, 0] = int(255.0 * red / samples + 0.5)
                    rgb[frame, row, column, 1] = int(255.0 * green / samples + 0.5)
                    rgb[frame, row, column, 2] = int(255.0 * blue / samples + 0.5)
