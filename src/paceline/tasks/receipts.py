"""The task `receipts`: list them, or drop some."""

from __future__ import annotations

import json as json_
import time
from dataclasses import asdict
from pathlib import Path

from paceline import console
from paceline.config.loading import load
from paceline.errors import UsageError
from paceline.prepush import report
from paceline.prepush.receipts import Receipt, Receipts


def run_receipts(root: Path, drop: str, json: bool) -> None:
    """List the receipts that count, or drop those that `drop` names ("all": every one)."""
    config = load(root)
    receipts = Receipts(config.state / "receipts", config.prepush.receipt_days)
    if drop:
        dropped = receipts.drop("" if drop == "all" else drop)
        if not dropped and drop != "all":
            raise UsageError(f"--drop: no receipt for {drop}", "`invoke receipts` lists them")
        console.out(f"dropped {len(dropped)} receipt{'s' if len(dropped) != 1 else ''}")
        return
    found = receipts.all()
    if json:
        console.out(json_.dumps([asdict(receipt) for receipt in found], indent=2))
    elif not found:
        console.out("no receipts")
    else:
        rows = [console.Row(_cells(receipt)) for receipt in found]
        header = ("receipt", "step", "age", "checked")
        console.out_lines(console.layout(header, rows, console.width()))


def _cells(receipt: Receipt) -> tuple[str, ...]:
    age = report.age(receipt.age_seconds(time.time()))
    checked = receipt.commit[:10] or "a working tree with changes"
    return (receipt.fingerprint[:12], receipt.step, age, checked)
