"""Every public item says what it is; every field of the ABI's block header is among them."""

import inspect
import re
import unittest
from pathlib import Path

import ephapse


def attribute_docs(module_file):
    """Names of attributes with a string behind their assignment, which is where Python documents them."""
    text = Path(module_file).read_text()
    return set(re.findall(r'^\s*(?:self\.)?(\w+)(?:: [^=\n]+)?(?: = [^\n]+)?\n\s*"""', text, re.MULTILINE))


class Documented(unittest.TestCase):
    def test_every_public_item_has_a_docstring(self):
        documented = set()
        for module in ("block", "capture", "ring", "session", "stage", "types"):
            documented |= attribute_docs(inspect.getsourcefile(getattr(ephapse, module)))
        missing = []
        for name in ephapse.__all__:
            item = getattr(ephapse, name)
            if not inspect.isclass(item) and not inspect.isfunction(item):
                if name not in documented:
                    missing.append(name)
                continue
            if not inspect.getdoc(item):
                missing.append(name)
            if not inspect.isclass(item):
                continue
            for member, value in vars(item).items():
                inherited = member.startswith("_") or member in documented
                if inherited or not (callable(value) or isinstance(value, (property, staticmethod, classmethod)) or inspect.isdatadescriptor(value)):
                    continue
                if not inspect.getdoc(getattr(item, member)):
                    missing.append(f"{name}.{member}")
        self.assertEqual(missing, [])

    def test_the_test_above_finds_what_is_missing(self):
        self.assertIn("first_frame", attribute_docs(ephapse.block.__file__))
        self.assertNotIn("_rows", attribute_docs(ephapse.block.__file__))

    def test_all_names_everything_public(self):
        modules = {"block", "capture", "latest", "ring", "session", "stage", "types"}
        public = {name for name in vars(ephapse) if not name.startswith("_")} - modules
        self.assertEqual(public, set(ephapse.__all__))

    def test_public_functions_have_type_hints(self):
        for name in ephapse.__all__:
            item = getattr(ephapse, name)
            functions = [item] if inspect.isfunction(item) else []
            if inspect.isclass(item):
                functions += [f for n, f in vars(item).items() if inspect.isfunction(f) and not n.startswith("_")]
            for function in functions:
                with self.subTest(f"{name}: {function.__qualname__}"):
                    hints = set(function.__annotations__)
                    self.assertLessEqual(set(inspect.signature(function).parameters) - {"self"}, hints)
                    self.assertIn("return", hints)

    def test_the_header_has_every_field_of_the_abi(self):
        document = Path(__file__).parents[3] / "ABI.md"
        section = document.read_text().split("### Slots, region (e)")[1].split("\n### ")[0]
        fields = set(re.findall(r"^\|[^|]*\|[^|]*\| `(\w+)` \|", section, re.MULTILINE))
        self.assertIn("committed_ns", fields)
        missing = {field for field in fields if not hasattr(ephapse.Header, field)}
        self.assertEqual(missing, {"reserved"})
