"""
An args.yaml as timm's train.py leaves one beside its results (`yaml.safe_dump(args.__dict__, default_flow_style=False)`), for
test/exchange: the arguments that a recipe for ViT-S sets, under the names and defaults of timm 1.0's documentation. Not from a run of timm,
whose package does not ship train.py. Writes test/fixtures/yaml/timm-args.yaml. Made with Python 3.11, PyYAML 6.0.3:

    /opt/pq/bin/python test/reference/timm_args.py
"""
import os

import yaml

args = dict(
    data_dir="/data/imagenet", dataset="", train_split="train", val_split="validation", class_map="",
    model="vit_small_patch16_224.augreg_in1k", pretrained=False, initial_checkpoint="", resume="", num_classes=1000, gp=None,
    img_size=None, in_chans=None, input_size=[3, 224, 224], crop_pct=None, mean=None, std=None, interpolation="",
    batch_size=64, validation_batch_size=None, grad_accum_steps=2, opt="adamw", opt_eps=1e-8, opt_betas=None, momentum=0.9,
    weight_decay=0.05, clip_grad=1.0, clip_mode="norm", layer_decay=None, sched="cosine", sched_on_updates=True,
    lr=None, lr_base=0.001, lr_base_size=1024, lr_base_scale="", lr_noise=None, warmup_lr=1e-6, min_lr=1e-5, epochs=300,
    warmup_epochs=20, warmup_prefix=False, cooldown_epochs=0, decay_epochs=90, patience_epochs=10,
    no_aug=False, scale=[0.08, 1.0], ratio=[0.75, 1.3333333333333333], hflip=0.5, vflip=0.0, color_jitter=0.4,
    aa="rand-m9-mstd0.5-inc1", aug_repeats=0, aug_splits=0, jsd_loss=False, bce_loss=False, reprob=0.25, remode="pixel", recount=1,
    mixup=0.8, cutmix=1.0, cutmix_minmax=None, mixup_prob=1.0, smoothing=0.1, train_interpolation="random", drop=0.0, drop_path=0.1,
    drop_connect=None, model_ema=False, model_ema_decay=0.9998, seed=42, workers=8, amp=True, amp_dtype="float16", torchscript=False,
)
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "yaml", "timm-args.yaml")
with open(target, "w") as file:
    file.write(yaml.safe_dump(args, default_flow_style=False))
