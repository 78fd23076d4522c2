"""What the page on GraphQL lists is what there is: fields of the roots, limits."""

import pathlib
import re

from fixieai.platform.deployments.packages import PackageLimits
from fixieai.platform.endpoints import graphql as endpoint
from fixieai.platform.graphql import context, documents, schema

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "graphql.md").read_text("utf-8")


def test_every_field_of_the_roots_is_described_with_its_arguments() -> None:
    described = PAGE.partition("## What can be asked")[2].partition("Handles in mutations")[0]
    cells = "\n".join(re.findall(r"^\| ([^|]+) \|", described, re.MULTILINE))
    listed = dict(re.findall(r"`(\w+)(?:\(([\w, ]*)\))?`", cells))
    executable = schema.executable()
    roots = [root for root in (executable.query_type, executable.mutation_type) if root]

    there = {name: field for root in roots for name, field in root.fields.items()}

    assert there.keys() <= listed.keys()
    for name, field in there.items():
        assert (
            listed[name].split(", ") == [each for each in field.args if each != "reindexCorpora"]
            or not field.args
        )


def test_the_limits_are_those_of_the_code() -> None:
    mebibyte = 1024 * 1024
    table = PAGE.partition("| of one request |")[2].partition("\n\n")[0]
    numbers = [
        int(number.replace(",", ""))
        for number in re.findall(r"\| ([\d,]+)(?: MiB)? \|$", table, re.MULTILINE)
    ]

    assert numbers == [
        documents.MAXIMUM_TOKENS,
        documents.MAXIMUM_DEPTH,
        documents.MAXIMUM_ALIASES,
        documents.MAXIMUM_COST,
        context.MAXIMUM_ITEMS,
        endpoint.MAXIMUM_JSON_BYTES // mebibyte,
        PackageLimits().packed_bytes // mebibyte,
    ]
