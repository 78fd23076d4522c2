"""Types that resolvers name."""

from typing import Any

from graphql import GraphQLResolveInfo

from fixieai.platform.graphql.context import Context

# An object of the schema: its fields by name, and under names with an underscore what resolvers need.
Node = dict[str, Any]


class Info(GraphQLResolveInfo):
    """What graphql-core hands to a resolver, with our context."""

    context: Context
