"""Compares what Slither found with the list of findings that stand, each with its reason.

A line of the list is `detector <tab> subject <tab> reason`; the subject is the first thing that the finding names, as
`Contract.function(types)`, `Contract.variable` or `Contract`, with ` ×N` after it when this detector finds N things there, or `*` for
all that this detector finds.
"""

import json
import sys


def subject_of(element):
    """The name of a finding's first element, with the contract or function that it stands in."""
    specific = element.get("type_specific_fields", {})
    name = specific.get("signature", element["name"])
    parent = specific.get("parent")
    if element["type"] in ("variable", "node"):
        return subject_of(parent) + "." + element["name"] if element["type"] == "variable" else subject_of(parent)
    return f"{parent['name']}.{name}" if parent and parent["type"] == "contract" else name


def read_findings(path):
    with open(path, encoding="utf-8") as file:
        results = json.load(file)["results"].get("detectors", [])
    findings = {}
    for found in results:
        key = (found["check"], subject_of(found["elements"][0]))
        findings.setdefault(key, []).append(found["description"].strip())
    return findings


def read_list(path):
    entries = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip() == "" or line.startswith("#"):
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 3 or not all(fields) or tuple(fields[:2]) in entries:
                sys.exit(f"{path}:{number}: expected a new detector, subject and reason, separated by tabs")
            entries[tuple(fields[:2])] = fields[2]
    return entries


def main():
    findings, entries = read_findings(sys.argv[1]), read_list(sys.argv[2])
    explained = {}
    for (detector, subject), descriptions in findings.items():
        times = f" ×{len(descriptions)}" if len(descriptions) > 1 else ""
        possible = [(detector, subject + times), (detector, "*")]
        explained[detector, subject] = next((entry for entry in possible if entry in entries), None)
    new = [key for key, entry in explained.items() if entry is None]
    stale = [entry for entry in entries if entry not in explained.values()]
    for key in new:
        print(f"new: {key[0]}\t{key[1]} ({len(findings[key])} times)")
        print("\n".join(findings[key]) + "\n")
    for detector, subject in stale:
        print(f"finds nothing any more: {detector}\t{subject}")
    print(f"slither: {sum(map(len, findings.values()))} findings, {len(new)} new, {len(stale)} stale lines of the list")
    sys.exit(1 if new or stale or not findings else 0)


if __name__ == "__main__":
    main()
