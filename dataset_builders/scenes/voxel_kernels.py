"""Rays through a sparse voxel grid, forward and backward, in numba; `voxel_reference` is the slow, obvious same in torch.

What always holds: a ray has z = 1 in camera axes, so its parameter t is z-depth. Space is contracted to the cube
[-2, 2]^3: unchanged inside [-1, 1]^3, and n -> n (2 - 1/m) / m outside, where m = max |n| (mip-NeRF 360's contraction,
arXiv 2111.12077 eq. 10, with the largest component instead of the length). Vertices lie at the whole numbers of grid
coordinates 0..N-1. They are stored in blocks of 4x4x4: `table[block]` is the block's place in the arrays, or -1 where
nothing is stored, and nothing is stored where space is empty. A sample whose lowest corner is in such a block is skipped.

A vertex has a raw density, whose interpolated value's exponential is optical depth per unit of contracted length
(activated after interpolation, as DVGO, arXiv 2111.11215), and `CHANNELS` features, which are composited as they are.
Because every ray belongs to one direction, what depends on the direction is applied to the composited features, once a ray.

Kernels run serially without the GIL, each with gradient arrays of its own. They stay in one file because numba's cache
does not notice changes in functions of other files.
"""

import math

import numba
import numpy as np

CHANNELS = 12  # features of a vertex
STEP = 1.0  # of a ray, in voxels along the axis in which it is fastest
FARTHEST = 1000.0  # m at which a ray ends
LEAST_ALPHA = 1e-4  # of a sample; below it is skipped
LEAST_WEIGHT = 1e-4  # of a sample whose features count
LEAST_LIGHT = 1e-3  # transmittance at which a ray ends
EMPTY_DENSITY = -7.0  # raw density of a vertex that is not stored
GROWTH = 1.0  # voxels around a sample that are stored when the grid is made anew
_jit = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


@_jit
def _locate(x, y, z, dx, dy, dz, per_unit, half):
    """Grid coordinates of a point (in inner half sides), m, voxels per t along the fastest axis, contracted length per t."""
    ax, ay, az = abs(x), abs(y), abs(z)
    if ax >= ay and ax >= az:
        m, dm = ax, (dx if x > 0 else -dx)
    elif ay >= az:
        m, dm = ay, (dy if y > 0 else -dy)
    else:
        m, dm = az, (dz if z > 0 else -dz)
    if m > np.float32(1):
        inverse = np.float32(1) / m
        factor = (np.float32(2) - inverse) * inverse
        change = (inverse - np.float32(1)) * np.float32(2) * inverse * inverse * dm
        dx, dy, dz = dx * factor + x * change, dy * factor + y * change, dz * factor + z * change
        x, y, z = x * factor, y * factor, z * factor
    fastest = max(abs(dx), abs(dy), abs(dz)) * per_unit
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    return x * per_unit + half, y * per_unit + half, z * per_unit + half, m, fastest, length


@_jit
def _corners(table, gx, gy, gz, places, shares):
    """The 8 vertices around grid coordinates: their places in the arrays and trilinear shares, 0 and 0 for those not stored.

    Returns the share of the stored ones, or -1 where the sample is to be skipped.
    """
    i, j, k = int(gx), int(gy), int(gz)
    base = table[i >> 2, j >> 2, k >> 2]
    if base < 0:
        return np.float32(-1)
    fx, fy, fz = gx - np.float32(i), gy - np.float32(j), gz - np.float32(k)
    ex, ey, ez = np.float32(1) - fx, np.float32(1) - fy, np.float32(1) - fz
    shares[0], shares[1], shares[2], shares[3] = ex * ey * ez, ex * ey * fz, ex * fy * ez, ex * fy * fz
    shares[4], shares[5], shares[6], shares[7] = fx * ey * ez, fx * ey * fz, fx * fy * ez, fx * fy * fz
    if (i & 3) < 3 and (j & 3) < 3 and (k & 3) < 3:
        first = base * 64 + ((i & 3) << 4) + ((j & 3) << 2) + (k & 3)
        places[0], places[1], places[2], places[3] = first, first + 1, first + 4, first + 5
        places[4], places[5], places[6], places[7] = first + 16, first + 17, first + 20, first + 21
        return np.float32(1)
    stored = np.float32(1)
    for corner in range(8):
        ci, cj, ck = i + (corner >> 2), j + ((corner >> 1) & 1), k + (corner & 1)
        block = table[ci >> 2, cj >> 2, ck >> 2]
        if block < 0:
            stored -= shares[corner]
            places[corner], shares[corner] = 0, 0
        else:
            places[corner] = block * 64 + ((ci & 3) << 4) + ((cj & 3) << 2) + (ck & 3)
    return stored


@_jit
def _interpolated(density, places, shares, stored):
    """Raw density between the vertices that `_corners` found."""
    raw = (np.float32(1) - stored) * np.float32(EMPTY_DENSITY)
    for corner in range(8):
        raw += shares[corner] * density[places[corner]]
    return raw


@_jit
def _add_features(features, places, shares, weight, sums):
    """Adds `weight` times the interpolated features to sums [C]."""
    a, b, c, d = np.uint64(places[0]), np.uint64(places[1]), np.uint64(places[2]), np.uint64(places[3])
    e, f, g, h = np.uint64(places[4]), np.uint64(places[5]), np.uint64(places[6]), np.uint64(places[7])
    for channel in range(CHANNELS):
        front = shares[0] * features[a, channel] + shares[1] * features[b, channel]
        front += shares[2] * features[c, channel] + shares[3] * features[d, channel]
        back = shares[4] * features[e, channel] + shares[5] * features[f, channel]
        back += shares[6] * features[g, channel] + shares[7] * features[h, channel]
        sums[channel] += weight * (front + back)


@_jit
def march(table, density, features, origins, directions, near, offsets, targets, first, last,
          composited, opacity, middle, distortion, depth_error, keep, counts, records):  # fmt: skip
    """Rays first..last-1, in inner half sides. What comes out is said in `voxel_grid.Marched`.

    records [R, S, 6]: grid coordinates, optical depth, t, s of every sample, where `keep`; a ray ends at S samples.
    """
    side = table.shape[0] * 4
    per_unit, half = np.float32((side - 1) / 4), np.float32((side - 1) / 2)
    width = np.float32(STEP / side)  # of an interval in s, which runs along the ray at one voxel a step
    places, shares, sums = np.empty(8, np.uint64), np.empty(8, np.float32), np.empty(CHANNELS, np.float32)
    for ray in range(first, last):
        ox, oy, oz = origins[ray, 0], origins[ray, 1], origins[ray, 2]
        dx, dy, dz = directions[ray, 0], directions[ray, 1], directions[ray, 2]
        sums[:] = 0
        light, t, s, count = np.float32(1), np.float32(near[ray]), np.float32(0), 0
        moved, square, error = np.float32(0), np.float32(0), np.float32(0)
        so_far, so_far_s = np.float32(0), np.float32(0)
        middle[ray] = np.inf
        started = False
        while light > np.float32(LEAST_LIGHT) and count < records.shape[1]:
            gx, gy, gz, m, fastest, length = _locate(ox + t * dx, oy + t * dy, oz + t * dz, dx, dy, dz, per_unit, half)
            step = np.float32(STEP) / fastest
            if not started:  # the first sample lies anywhere in the first interval
                started = True
                t, s = t + offsets[ray] * step, offsets[ray] * width
                continue
            if m > np.float32(FARTHEST):
                break
            stored = _corners(table, gx, gy, gz, places, shares)
            if stored >= 0:
                thickness = math.exp(_interpolated(density, places, shares, stored)) * length * step
                alpha = np.float32(1) - math.exp(-thickness)
                if alpha >= np.float32(LEAST_ALPHA):
                    weight = light * alpha
                    if weight > np.float32(LEAST_WEIGHT):
                        _add_features(features, places, shares, weight, sums)
                    if light > np.float32(0.5) and light - weight <= np.float32(0.5):
                        middle[ray] = t + step * ((light - np.float32(0.5)) / weight - np.float32(0.5))
                    moved += weight * (s * so_far - so_far_s)
                    square += weight * weight
                    so_far += weight
                    so_far_s += weight * s
                    if targets[ray] > 0:
                        error += weight * min(abs(t / targets[ray] - np.float32(1)), np.float32(1))
                    if keep:
                        records[ray, count, 0], records[ray, count, 1], records[ray, count, 2] = gx, gy, gz
                        records[ray, count, 3], records[ray, count, 4], records[ray, count, 5] = thickness, t, s
                    count += 1
                    light -= weight
            t += step
            s += width
        composited[ray] = sums
        counts[ray] = count
        opacity[ray] = np.float32(1) - light
        distortion[ray] = np.float32(2) * moved + square * width / np.float32(3)
        depth_error[ray] = error + light if targets[ray] > 0 else np.float32(0)


@_jit
def march_back(table, features, targets, first, last, counts, records,
               d_composited, d_opacity, d_distortion, d_depth_error, d_density, d_features, touched):  # fmt: skip
    """Adds the gradients of rays first..last-1 to d_density [V] and d_features [V, C]; marks the vertices touched [V]."""
    side, most = table.shape[0] * 4, records.shape[1]
    width = np.float32(STEP / side)
    places, shares = np.empty((most, 8), np.uint64), np.empty((most, 8), np.float32)
    sums, slopes = np.empty(CHANNELS, np.float32), np.empty(CHANNELS, np.float32)
    weights, gains = np.empty(most, np.float32), np.empty(most, np.float32)
    for ray in range(first, last):
        count = counts[ray]
        slopes[:] = d_composited[ray]
        total, total_s, light = np.float32(0), np.float32(0), np.float32(1)
        for sample in range(count):
            weights[sample] = light * (np.float32(1) - math.exp(-records[ray, sample, 3]))
            total += weights[sample]
            total_s += weights[sample] * records[ray, sample, 5]
            light -= weights[sample]
        before, before_s = np.float32(0), np.float32(0)
        for sample in range(count):
            weight, s = weights[sample], records[ray, sample, 5]
            gain = d_opacity[ray]
            after, after_s = total - before - weight, total_s - before_s - weight * s
            apart = s * (before - after) - before_s + after_s
            gain += d_distortion[ray] * (np.float32(2) * apart + weight * width * np.float32(2 / 3))
            before += weight
            before_s += weight * s
            if targets[ray] > 0:
                off = min(abs(records[ray, sample, 4] / targets[ray] - np.float32(1)), np.float32(1))
                gain += d_depth_error[ray] * (off - np.float32(1))
            where = records[ray, sample]
            _corners(table, where[0], where[1], where[2], places[sample], shares[sample])
            if weight > np.float32(LEAST_WEIGHT):
                sums[:] = 0
                _add_features(features, places[sample], shares[sample], np.float32(1), sums)
                for channel in range(CHANNELS):
                    gain += slopes[channel] * sums[channel]
                for corner in range(8):
                    place, share = places[sample, corner], weight * shares[sample, corner]
                    for channel in range(CHANNELS):
                        d_features[place, channel] += share * slopes[channel]
            gains[sample] = gain
        behind = np.float32(0)  # and now backwards; light is what is left behind the last sample
        for sample in range(count - 1, -1, -1):
            slope = records[ray, sample, 3] * (light * gains[sample] - behind)
            behind += weights[sample] * gains[sample]
            light += weights[sample]
            for corner in range(8):
                place = places[sample, corner]
                touched[place] = True
                d_density[place] += slope * shares[sample, corner]


@_jit
def adam(
    values,
    gradients,
    first_moments,
    second_moments,
    touched,
    first,
    last,
    rate,
    beta,
    beta_square,
    tiny,
    lowest,
    highest,
):
    """One step for the touched vertices of first..last-1; sums gradients [P, V, C] over P and sets them to 0.

    Moments of a value without gradient rest, as in DVGO's masked Adam; the bias is corrected by the caller's rate.
    """
    parts, channels = gradients.shape[0], values.shape[1]
    for vertex in range(first, last):
        is_touched = False
        for part in range(parts):
            is_touched |= touched[part, vertex]
        if not is_touched:
            continue
        for channel in range(channels):
            gradient = np.float32(0)
            for part in range(parts):
                gradient += gradients[part, vertex, channel]
                gradients[part, vertex, channel] = 0
            if gradient != 0:
                mean = beta * first_moments[vertex, channel] + (np.float32(1) - beta) * gradient
                square = (
                    beta_square * second_moments[vertex, channel] + (np.float32(1) - beta_square) * gradient * gradient
                )
                first_moments[vertex, channel], second_moments[vertex, channel] = mean, square
                value = values[vertex, channel] - rate * mean / (math.sqrt(square) + tiny)
                values[vertex, channel] = min(max(value, lowest), highest)


@_jit
def mark_seen(table, counts, records, first, last, least_weight, side, seen):
    """Marks the blocks of a new grid of `side` vertices, seen [side / 4]^3, around all samples that weigh enough."""
    scale = np.float32((side - 1) / (table.shape[0] * 4 - 1))
    for ray in range(first, last):
        light = np.float32(1)
        for sample in range(counts[ray]):
            weight = light * (np.float32(1) - math.exp(-records[ray, sample, 3]))
            light -= weight
            if weight < least_weight:
                continue
            x, y, z = records[ray, sample, 0] * scale, records[ray, sample, 1] * scale, records[ray, sample, 2] * scale
            for i in range(_block(x - GROWTH, side), _block(x + GROWTH + 1, side) + 1):
                for j in range(_block(y - GROWTH, side), _block(y + GROWTH + 1, side) + 1):
                    for k in range(_block(z - GROWTH, side), _block(z + GROWTH + 1, side) + 1):
                        seen[i, j, k] = True


@_jit
def _block(coordinate, side):
    return int(min(max(coordinate, np.float32(0)), np.float32(side - 1))) >> 2


@_jit
def resample(table, density, features, blocks, side, new_density, new_features, first, last):
    """Values of the old grid at the vertices of blocks [B, 3] first..last-1 of a new one with `side` vertices."""
    scale, limit = np.float32((table.shape[0] * 4 - 1) / (side - 1)), np.float32(table.shape[0] * 4 - 1.001)
    places, shares = np.empty(8, np.uint64), np.empty(8, np.float32)
    for block in range(first, last):
        for vertex in range(64):
            x = min(np.float32(blocks[block, 0] * 4 + (vertex >> 4)) * scale, limit)
            y = min(np.float32(blocks[block, 1] * 4 + ((vertex >> 2) & 3)) * scale, limit)
            z = min(np.float32(blocks[block, 2] * 4 + (vertex & 3)) * scale, limit)
            new = block * 64 + vertex
            new_density[new] = EMPTY_DENSITY
            stored = _corners(table, x, y, z, places, shares)
            if stored >= 0:
                new_density[new] = _interpolated(density, places, shares, stored)
                _add_features(features, places, shares, np.float32(1), new_features[new])
