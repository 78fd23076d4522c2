"""GraphQL: `schema.graphql` beside this folder says what there is, the modules here answer it."""
