"""Everything that survives a restart. SQL exists only here.

    database.connect(url)          -> Database: `await database.write(sessions.create, owner_id, ...)`
    sessions, messages, queries, … one module per noun: plain functions of a Transaction
    sql/*.sql                      the statements, written once for every engine
    migrations/*.sql               the schema, one numbered file per version

A function of a noun never takes an id without the id of its owner: what is not the owner's does
not exist. Functions compose: one that calls three others is still one transaction, one commit.
They may be run a second time after a failure of their group, so they change nothing but the
database.
"""
