"""Types that resolvers name."""

from typing import Any, TypeAlias

from graphql import GraphQLResolveInfo

from fixieai.platform.graphql.context import Context

# An object of the schema: its fields by name, and under names with an underscore what resolvers need.
Node: TypeAlias = dict[str, Any]
# What graphql-core hands to a resolver.
Info: TypeAlias = GraphQLResolveInfo[Context]
