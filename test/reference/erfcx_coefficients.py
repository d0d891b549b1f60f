#!/usr/bin/env python3
"""Coefficients of ½·erfcx(z), z ≥ 0, as a polynomial in t = 1/(1 + z/2), for resources/kernels/gelu.h.

erfcx(z) = exp(z²)·erfc(z) is smooth in t, so a Chebyshev fit of low degree suffices. Prints the coefficients, constant term first, and the
largest absolute error of Φ(x) evaluated in single precision with them.

    python erfcx_coefficients.py        numpy and scipy; run with numpy 2.x, scipy 1.x
"""
import numpy as np
from numpy.polynomial import chebyshev, polynomial
from scipy.special import erfcx, ndtr

DEGREE = 8
LARGEST_Z = 9.5  # exp(−z²) is 0 in single precision beyond

low = 1 / (1 + LARGEST_Z / 2)
nodes = np.cos(np.pi * (np.arange(400) + 0.5) / 400)
t = low + (1 - low) * (nodes + 1) / 2
z = 2 * (1 / t - 1)
fit = chebyshev.Chebyshev.fit(t, 0.5 * erfcx(z), DEGREE, domain=[low, 1])
coefficients = fit.convert(kind=polynomial.Polynomial).coef

x = np.linspace(-12, 12, 2_000_001).astype(np.float32)
z32 = np.abs(x) * np.float32(np.sqrt(0.5))
t32 = np.float32(1) / (np.float32(1) + z32 * np.float32(0.5))
value = np.float32(coefficients[-1])
for coefficient in coefficients[-2::-1]:
    value = value * t32 + np.float32(coefficient)
tail = value * np.exp(-z32 * z32)
phi = np.where(x < 0, tail, np.float32(1) - tail)
print("coefficients:", ", ".join(f"{c:.9e}f" for c in coefficients))
print("largest error of Φ:", np.abs(phi - ndtr(x.astype(np.float64))).max())
print("largest relative error of x·Φ above |x| = 1e-3, x > −3:", np.abs(phi / ndtr(x.astype(np.float64)) - 1)[(x > -3)].max())
