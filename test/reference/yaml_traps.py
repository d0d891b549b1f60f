"""Checks that what main/store/configFile.ts writes as YAML is read by PyYAML as the same values, types included.

Run after a change of formatYaml: python test/reference/yaml_traps.py   (PyYAML 6.0.3)
test/fixtures/yaml/traps.json holds values that YAML 1.1 readers misread when written carelessly; traps.yaml is formatYaml of them,
which test/store/configFile.test.ts compares as text.
"""
import json
import os

import yaml

folder = os.path.join(os.path.dirname(__file__), "..", "fixtures", "yaml")
expected = json.load(open(os.path.join(folder, "traps.json")))
read = yaml.safe_load(open(os.path.join(folder, "traps.yaml")))
assert list(read) == list(expected), set(read) ^ set(expected)
for key, value in expected.items():
    assert read[key] == value and type(read[key]) is type(value), (key, read[key], value)
print(f"PyYAML {yaml.__version__}: {len(expected)} values read as written")
