"""The made-up weights, batches and masks that vit_step.py feeds to PyTorch and test/train/goldenData.ts to our engine.

Integer arithmetic and single roundings only, so that both languages get the same float32 values and nothing of it is stored.
Native names and layout: linear weights are [in, out], patches are flattened in (row, column, channel) order.
"""
import numpy as np

MASK32 = 0xFFFFFFFF


def name_hash(name):
    """FNV-1a, 32 bits."""
    h = 2166136261
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) & MASK32
    return h


def uniform(name, size):
    """`size` float64 values in [-0.5, 0.5) with 24 random bits: MurmurHash3's finalizer over name hash and index."""
    h = np.uint64(name_hash(name)) + np.arange(size, dtype=np.uint64) * np.uint64(0x9E3779B9)
    m = np.uint64(MASK32)
    h &= m
    h = ((h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & m
    h = ((h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & m
    h ^= h >> np.uint64(16)
    return (h >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5


def weight(path, shape):
    """A float32 parameter: LayerNorm scales around 1, biases small, all else of spread 0.12."""
    u = uniform(path, int(np.prod(shape)))
    is_norm = path.split(".")[-2][:4] == "norm" if "." in path else False
    if path.endswith(".weight") and is_norm:
        values = 1 + 0.4 * u
    else:
        values = (0.2 if path.endswith(".bias") else 0.4) * u
    return values.astype(np.float32).reshape(shape)


def batch(step, size, tokens, patch_dim, classes):
    """Patches [size, tokens, patch_dim] with a pattern per class in noise, and mixed, smoothed targets [size, classes]."""
    labels = np.floor((uniform(f"labels {step}", 2 * size) + 0.5) * classes).astype(int)
    noise = 2 * uniform(f"patches {step}", size * tokens * patch_dim).reshape(size, -1)
    patterns = np.stack([2 * uniform(f"class {c}", tokens * patch_dim) for c in range(classes)])
    patches = (noise + patterns[labels[:size]]).astype(np.float32).reshape(size, tokens, patch_dim)
    targets = np.full((size, classes), 0.1 / classes)
    for i in range(size):
        targets[i, labels[i]] += 0.9 * 0.75
        targets[i, labels[size + i]] += 0.9 * 0.25
    return patches, targets.astype(np.float32)


def mask(name, shape, rate):
    """Dropout factors: 0 or 1/(1 - rate)."""
    u = uniform(f"mask {name}", int(np.prod(shape))) + 0.5
    return np.where(u < rate, 0.0, 1 / (1 - rate)).astype(np.float32).reshape(shape)
