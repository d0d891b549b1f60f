"""
Golden bytes for test/data: Pillow's resize, its colour and geometry operations, and a Hugging Face image processor.
Made with Python 3.11, Pillow 12.3.0, numpy 2, transformers 5.17.0 (Pillow 13 chooses the order of the two axes of a resize by their
sizes, which moves some bytes by 1; formats.md section 8 keeps to columns first):

    python test/reference/data_images.py      # writes data_images.json beside this file

Images are rows of bytes, channels last, as base64. Inputs come from a fixed generator and are stored too.
"""
import base64
import json
import math
import os

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

assert PIL.__version__.startswith("12."), PIL.__version__
random = np.random.default_rng(20250914)


def encode(array):
    array = np.ascontiguousarray(array)
    if array.ndim == 2:
        array = array[:, :, None]
    height, width, channels = array.shape
    return {"height": height, "width": width, "channels": channels, "pixels": base64.b64encode(array.tobytes()).decode()}


def noise(height, width, channels):
    """Half noise, half a smooth ramp, so that rounding and clamping both show."""
    ramp = np.linspace(0, 255, width)[None, :, None] * np.linspace(1, 0.2, height)[:, None, None]
    values = np.where(random.random((height, width, channels)) < 0.5, random.integers(0, 256, (height, width, channels)), ramp)
    return values.astype(np.uint8)


def picture(array):
    return Image.fromarray(array[:, :, 0], "L") if array.shape[2] == 1 else Image.fromarray(array, "RGB")


def resize_cases():
    shapes = [
        (28, 28, 32, 32, None), (28, 28, 14, 14, None), (17, 23, 32, 8, None), (40, 31, 9, 12, None),
        (5, 40, 16, 16, None), (3, 2, 11, 7, None), (33, 20, 33, 10, None), (20, 33, 8, 33, None),
        (28, 28, 28, 28, (3, 5, 21, 26)), (40, 30, 12, 12, (7, 2, 29, 33)), (16, 16, 24, 24, (0.5, 1.25, 9.75, 12)),
        (16, 16, 16, 16, (0, 4, 16, 12)), (31, 9, 6, 6, (0, 0, 9, 31)),
    ]
    for i, (height, width, to_height, to_width, box) in enumerate(shapes):
        source = noise(height, width, (1, 3)[i % 2])
        result = picture(source).resize((to_width, to_height), Image.Resampling.BILINEAR, box=box)
        yield {"from": encode(source), "box": box, "to": encode(np.asarray(result))}


def operation_cases():
    def enhance(kind, factor):
        return lambda image: getattr(ImageEnhance, kind)(image).enhance(factor)

    def affine(*matrix):
        return lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill(image))

    def fill(image):
        return 77 if image.mode == "L" else (10, 120, 230)

    operations = [
        ("invert", [], ImageOps.invert), ("autocontrast", [], ImageOps.autocontrast), ("equalize", [], ImageOps.equalize),
        *[("posterize", [bits], lambda image, bits=bits: ImageOps.posterize(image, bits)) for bits in (1, 3, 8)],
        *[("solarize", [t], lambda image, t=t: ImageOps.solarize(image, t)) for t in (0, 100, 256)],
        *[(name.lower(), [f], enhance(name, f)) for name in ("Brightness", "Contrast", "Color", "Sharpness") for f in (0.1, 0.63, 1.0, 1.81)],
        *[("rotate", [d], lambda image, d=d: image.rotate(d, Image.Resampling.BILINEAR, fillcolor=fill(image))) for d in (27.0, -9.3, 180.5)],
        *[("affine", list(m), affine(*m)) for m in [(1, 0.27, 0, 0, 1, 0), (1, 0, 0, -0.3, 1, 0), (1, 0, 4.05, 0, 1, 0), (1, 0, 0, 0, 1, -3.6)]],
    ]
    dark = (noise(12, 15, 3) // 3 + 20).astype(np.uint8)  # uses a part of the range: autocontrast and equalize have work
    sources = [noise(12, 15, 1), noise(11, 9, 3), dark, np.full((20, 20, 3), 7, np.uint8)]
    large = np.tile(dark, (3, 2, 1))
    for name, arguments, operation in operations:
        for source in [*sources, large] if name in ("autocontrast", "equalize") else sources[:3]:
            yield {"name": name, "arguments": arguments, "from": encode(source), "to": encode(np.asarray(operation(picture(source))))}


def processor_case():
    """One image through CLIPImageProcessor, as an export's preprocessor_config.json asks for it (formats.md section 8)."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as Processor

    source = noise(37, 50, 3)
    side = 16
    processor = Processor(
        size={"shortest_edge": math.floor(side * 256 / 224)}, crop_size={"height": side, "width": side}, resample=2, do_convert_rgb=True,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )
    values = np.asarray(processor(picture(source), return_tensors="np")["pixel_values"][0], np.float32)  # [3, 16, 16]
    return {"from": encode(source), "imageSize": side, "values": base64.b64encode(values.tobytes()).decode()}


target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data_images.json")
with open(target, "w") as file:
    json.dump({
        "madeBy": f"data_images.py, Pillow {PIL.__version__}, numpy {np.__version__}",
        "resize": list(resize_cases()),
        "operations": list(operation_cases()),
        "processor": processor_case(),
    }, file, indent=0)
    file.write("\n")
