"""The Python package and its fourteen test files: ten on one module each, four on several."""

from __future__ import annotations

#: Module to (code, tests).
MODULES = {
    "prices": (
        "def gross(net: float, rate: float) -> float:\n    return round(net * (1 + rate), 2)\n",
        "def test_tax_is_added():\n    assert prices.gross(10.0, 0.2) == 12.0\n",
    ),
    "cart": (
        "def total(lines: list[tuple[int, float]]) -> float:\n"
        "    return round(sum(count * price for count, price in lines), 2)\n",
        "def test_lines_add_up():\n    assert cart.total([(2, 3.5), (1, 4.0)]) == 11.0\n",
    ),
    "stock": (
        "def left(have: int, sold: int) -> int:\n"
        "    if sold > have:\n        raise ValueError('sold out')\n    return have - sold\n",
        "def test_what_is_left():\n    assert stock.left(3, 1) == 2\n\n\n"
        "def test_sold_out():\n    with pytest.raises(ValueError):\n        stock.left(1, 2)\n",
    ),
    "discounts": (
        "def reduced(price: float, percent: int) -> float:\n"
        "    return round(price * (100 - percent) / 100, 2)\n",
        "@pytest.mark.parametrize('percent, price', [(0, 8.0), (25, 6.0), (100, 0.0)])\n"
        "def test_reduced(percent, price):\n    assert discounts.reduced(8.0, percent) == price\n",
    ),
    "shipping": (
        "def cost(weight: float) -> float:\n    return 0.0 if weight > 20 else 4.9\n",
        "def test_heavy_parcels_are_free():\n    assert shipping.cost(21) == 0.0\n",
    ),
    "search": (
        "def find(names: list[str], text: str) -> list[str]:\n"
        "    return [name for name in names if text.lower() in name.lower()]\n",
        "def test_case_does_not_count():\n    assert search.find(['Pear', 'fig'], 'EA')\n",
    ),
    "users": (
        "def valid(address: str) -> bool:\n    return '@' in address.strip('@')\n",
        "def test_addresses():\n    assert users.valid('a@b') and not users.valid('@b')\n",
    ),
    "dates": (
        "from datetime import date, timedelta\n\n\n"
        "def due(start: date, days: int) -> date:\n    return start + timedelta(days)\n",
        "def test_due():\n    assert dates.due(dates.date(2026, 1, 31), 1).month == 2\n",
    ),
    "words": (
        "def slug(title: str) -> str:\n    return '-'.join(title.lower().split())\n",
        "def test_slug():\n    assert words.slug('Big  Pear') == 'big-pear'\n",
    ),
    "reports": (
        "def top(sales: dict[str, int]) -> str:\n    return max(sales, key=lambda n: sales[n])\n",
        "def test_top():\n    assert reports.top({'fig': 1, 'pear': 2}) == 'pear'\n\n\n"
        "@pytest.mark.slow\ndef test_many():\n"
        "    assert reports.top({str(n): n for n in range(9999)}) == '9998'\n",
    ),
}
#: Tests over several modules: name to (imports, tests).
FLOWS = {
    "checkout": (
        "cart, prices",
        "def test_with_tax():\n    assert prices.gross(cart.total([(2, 5.0)]), 0.1) == 11.0\n",
    ),
    "sale": (
        "cart, discounts",
        "def test_sale():\n    assert discounts.reduced(cart.total([(1, 8.0)]), 50) == 4.0\n",
    ),
    "parcel": (
        "dates, shipping",
        "def test_parcel():\n"
        "    assert shipping.cost(1) > 0 and dates.due(dates.date(2026, 3, 1), 2).day == 3\n",
    ),
    "catalogue": (
        "search, words",
        "def test_found_by_slug():\n    assert search.find([words.slug('Big Pear')], 'big-') \n",
    ),
}
TESTS = (*MODULES, *FLOWS)


def folder_of(name: str) -> str:
    """Return the folder of test file `name`."""
    return "tests/flows" if name in FLOWS else "tests/unit"


def files() -> dict[str, str]:
    """Return the files of this part, path to text."""
    found = {"src/shop/__init__.py": '"""A small shop."""\n'}
    for name, (code, tests) in MODULES.items():
        found[f"src/shop/{name}.py"] = f'"""The shop\'s {name}."""\n\n{code}'
        found[f"tests/unit/test_{name}.py"] = _test(name, tests)
    for name, (modules, tests) in FLOWS.items():
        found[f"tests/flows/test_{name}.py"] = _test(modules, tests)
    return found


def _test(modules: str, tests: str) -> str:
    pytest = "import pytest\n\n" if "pytest" in tests else ""
    return f"{pytest}from shop import {modules}\n\n\n{tests}"
