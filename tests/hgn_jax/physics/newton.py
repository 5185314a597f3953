"""Gravity of bodies in a plane, written as double loops over one configuration `[n, 2]`."""

import math

import numpy as np


def gravity_energy(q: np.ndarray, p: np.ndarray, m: np.ndarray, g: float) -> float:
    energy = 0.0
    for i in range(len(q)):
        energy += (p[i, 0] ** 2 + p[i, 1] ** 2) / (2.0 * m[i])
        for j in range(i + 1, len(q)):
            energy -= g * m[i] * m[j] / math.hypot(*(q[j] - q[i]))
    return energy


def gravity_force(q: np.ndarray, m: np.ndarray, g: float) -> np.ndarray:
    total = np.zeros_like(q)
    for i in range(len(q)):
        for j in range(len(q)):
            if i != j:
                separation = q[j] - q[i]
                total[i] += g * m[i] * m[j] * separation / np.linalg.norm(separation) ** 3
    return total
