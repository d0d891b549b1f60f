"""Lets timm be imported where torchvision is not: its import asks for it, its ViT does not use it. Importing this is all there is to do."""

import importlib.abc
import importlib.machinery
import sys
import types


class Anything(type):
    """A class that has every attribute."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


def attribute_of(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Anything(name, (), {})


class WithoutTorchvision(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty classes under the names of torchvision."""

    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = attribute_of
        return module

    def exec_module(self, module):
        pass


sys.meta_path.append(WithoutTorchvision())
