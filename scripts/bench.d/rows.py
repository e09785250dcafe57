"""Rows of measurements, for scripts/bench.

rows.py gas FILE...        rows from what test/gas/*.sol measured
rows.py e2e FILE           rows from what scripts/devnet --json wrote
rows.py table FILE         a table of rows, one line a case
rows.py tree FILE          what scripts/bench tree measured: tables of cases of one kind, notes, targets
rows.py merge NAME...      the rows of NAME.json, one after another
rows.py check OLD NEW      fails, and says what moved, unless both files hold the same rows
"""

import json
import re
import sys
import textwrap

# What a transaction pays before anything runs (EIP-2028), and at least, whatever runs (EIP-7623).
BASE_GAS = 21_000
ZERO_BYTE_GAS = 4
BYTE_GAS = 16
FLOOR_GAS_PER_TOKEN = 10
TOKENS_PER_BYTE = 4

# Batches that the constant cost of following the hub is spread over: transfers, and touched keys of each.
BATCHES = (1, 16, 64)
KEYS_PER_TRANSFER = 4
CONSTANT_COST = ("advanceAttested/", "confirm/")

# Columns of a note.
TEXT_WIDTH = 120

COMMAND_TO_ACCEPT = "scripts/bench gas --accept"


def row(case, metric, value, unit):
    return {"case": case, "metric": metric, "value": value, "unit": unit}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["rows"]


def dump(rows):
    lines = ",\n".join(json.dumps(one) for one in rows)
    print(f'{{"rows":[\n{lines}\n]}}')


def gas_rows(*paths):
    return [one for path in paths for one in gas_rows_of(path)]


def gas_rows_of(path):
    with open(path, encoding="utf-8") as file:
        return [one for line in file for one in rows_of_transaction(json.loads(line))]


def rows_of_transaction(measured):
    """`used` is what the transaction used, calldata included, before EIP-7623, which the measuring EVM does not know."""
    zeros, length = measured["zeroBytes"], measured["calldataBytes"]
    used = measured["used"]
    before = BASE_GAS + ZERO_BYTE_GAS * zeros + BYTE_GAS * (length - zeros)
    floor = BASE_GAS + FLOOR_GAS_PER_TOKEN * (zeros + TOKENS_PER_BYTE * (length - zeros))
    gas = max(used, floor)
    case = measured["case"]
    rows = [
        row(case, "proof_bytes", measured["proofBytes"], "bytes"),
        row(case, "calldata_bytes", length, "bytes"),
    ]
    if measured["leastBytes"]:
        rows.append(row(case, "over_least", round(100 * (length / measured["leastBytes"] - 1), 2), "%"))
    rows += [
        row(case, "execution_gas", used - before, "gas"),
        row(case, "floor_gas", floor, "gas"),
        row(case, "over_floor", max(used - floor, 0), "gas"),
        row(case, "gas", gas, "gas"),
    ]
    if measured["transfers"]:
        rows += shares(case, gas, measured["transfers"], measured["keys"])
    elif case.startswith(CONSTANT_COST):
        for transfers in BATCHES:
            rows += shares(f"{case}/transfers={transfers}", gas, transfers, KEYS_PER_TRANSFER * transfers)
    elif measured["keys"] and not case.startswith("verify"):
        rows.append(row(case, "gas_per_key", gas, "gas"))
    return rows


def shares(case, gas, transfers, keys):
    return [
        row(case, "gas_per_transfer", round(gas / transfers), "gas"),
        row(case, "gas_per_key", round(gas / keys), "gas"),
    ]


def kind_of(what):
    """The demonstration's sentence in one word. Its sentences: cli/src/devnet/demonstration.rs."""
    if what.startswith("issue "):
        return "issue"
    return "swap" if "atomic" in what else "move"


def e2e_rows(path):
    """For each kind of operation the slowest one, and for each stage the last chain that came to it."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    reached, gas = {}, {}
    for transfer in report["transfers"]:
        case = f"transfer={kind_of(transfer['what'])}"
        for stage in transfer["stages"]:
            key = (case, stage["stage"])
            reached[key] = max(reached.get(key, 0), stage["atMs"])
            if stage.get("gas"):
                gas[key] = max(gas.get(key, 0), int(stage["gas"]))
    return [row(case, f"{stage}_ms", value, "ms") for (case, stage), value in reached.items()] + [
        row(case, f"{stage}_gas", value, "gas") for (case, stage), value in gas.items()
    ]


def text(value):
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def table(path):
    print_table(load(path))


def print_table(rows):
    cases, metrics = {}, []
    for one in rows:
        cases.setdefault(one["case"], {})[one["metric"]] = text(one["value"])
        if one["metric"] not in metrics:
            metrics.append(one["metric"])
    lines = [["case", *metrics]]
    lines += [[case, *(values.get(metric, "") for metric in metrics)] for case, values in cases.items()]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *rest in lines:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:])]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def tree(path):
    with open(path, encoding="utf-8") as file:
        measured = json.load(file)
    kinds = {}
    for one in measured["rows"]:
        kinds.setdefault(kind_of_measurement(one["case"]), []).append(one)
    for rows in kinds.values():
        print_table(rows)
        print()
    for note in measured["notes"]:
        print(textwrap.fill(f"* {note}", TEXT_WIDTH, subsequent_indent="  "))
    for one in measured["checks"]:
        print(target_line(one))


def kind_of_measurement(case):
    """What follows the number of leaves, whatever the number of keys of a batch; cases of one kind share their columns."""
    tail = re.sub(r"^.*/n=\d+", "", case)
    return tail if "proof" in tail else re.sub(r"(/beside)?=.*", "", tail)


def target_line(one):
    target = f"{one['what']}: target {one['target']} {text(one['limit'])}{one['unit']}"
    if one["measured"] is None:
        return f"{target}, not measured"
    return f"{target}, measured {text(one['measured'])}{one['unit']}, {'met' if one['met'] else 'missed'}"


def check(old_path, new_path):
    try:
        old = keyed(load(old_path))
    except FileNotFoundError:
        sys.exit(f"bench: there is no {old_path} to compare with; to write it: {COMMAND_TO_ACCEPT}")
    new = keyed(load(new_path))
    moved = [line for key in {**old, **new} if (line := difference(key, old.get(key), new.get(key)))]
    if moved:
        print("\n".join(moved), file=sys.stderr)
        sys.exit(f"bench: {len(moved)} rows differ from {old_path}; to accept them: {COMMAND_TO_ACCEPT}")
    print(f"bench: {len(new)} rows, all exactly as in {old_path}")


def keyed(rows):
    return {(one["case"], one["metric"]): one["value"] for one in rows}


def difference(key, old, new):
    name = f"{key[0]} {key[1]}"
    if old == new:
        return None
    if old is None:
        return f"{name}: new, {text(new)}"
    if new is None:
        return f"{name}: gone, was {text(old)}"
    return f"{name}: {text(old)} -> {text(new)} ({100 * (new - old) / old:+.2f} %)"


def main(command, *arguments):
    if command == "gas":
        dump(gas_rows(*arguments))
    elif command == "e2e":
        dump(e2e_rows(*arguments))
    elif command == "table":
        table(*arguments)
    elif command == "tree":
        tree(*arguments)
    elif command == "merge":
        dump([one for name in arguments for one in load(f"{name}.json")])
    elif command == "check":
        check(*arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
