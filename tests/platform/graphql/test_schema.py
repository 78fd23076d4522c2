"""The schema that is served: nothing that programs rely on is missing from it, and only additions differ."""

from graphql import (
    GraphQLEnumType,
    GraphQLSchema,
    GraphQLUnionType,
    build_client_schema,
    get_introspection_query,
)

from fixieai.platform.graphql import schema

# What documents of the clients spell out: types, their fields with arguments and types, as they were.
EXPECTED = """
Query.user: UserType
Query.allAgents: [AgentType!]!
Query.agentById(agentId: String!): AgentType
Query.agentByHandle(handle: String!): AgentType
Query.allSessions: [SessionType!]!
Query.sessionByHandle(handle: String!): SessionType
Mutation.createAgent(agentData: CreateAgentInput!): CreateAgentPayload
Mutation.updateAgent(agentData: UpdateAgentInput!): UpdateAgentPayload
Mutation.deleteAgent(agentData: DeleteAgentInput!): DeleteAgentPayload
Mutation.deleteAgentRevision(agentHandle: String!, revisionId: ID!): DeleteAgentRevisionPayload
Mutation.createSession(sessionData: CreateSessionInput): CreateSessionPayload
Mutation.deleteSession(handle: String!): DeleteSessionPayload
Mutation.sendSessionMessage(messageData: SendSessionMessageInput!): SendSessionMessagePayload
UserType.username: String!
UserType.firstName: String
UserType.lastName: String
UserType.email: String
UserType.organization: OrganizationType
UserType.dailyQueryLimit: Int
UserType.dailyUsedQueries: Int
UserType.avatar: String
OrganizationType.handle: String!
OrganizationType.name: String
AgentType.agentId: String!
AgentType.handle: String!
AgentType.name: String
AgentType.description: String
AgentType.queries: [String!]
AgentType.moreInfoUrl: String
AgentType.published: Boolean
AgentType.owner: AgentOwner!
AgentType.queryUrl: String
AgentType.funcUrl: String
AgentType.avatar: String
AgentType.created: DateTime
AgentType.modified: DateTime
AgentType.refreshStatus: RefreshStatus
AgentType.hasManagedDeployment: Boolean
AgentType.currentRevision: AgentRevision
AgentType.allRevisions: [AgentRevision!]!
AgentRevision.id: ID!
AgentRevision.created: DateTime!
AgentRevision.isCurrent: Boolean!
AgentRevision.indexedCorpora: [IndexedCorpus!]
AgentRevision.deployment: RevisionDeployment
AgentRevision.metadata: [RevisionMetadataKeyValuePair!]!
IndexedCorpus.status: IndexStatus!
IndexedCorpus.created: DateTime!
IndexedCorpus.modified: DateTime!
IndexedCorpus.vectorCount: Int
ExternalDeployment.url: String!
ManagedDeployment.environment: DeploymentEnvironment!
RevisionMetadataKeyValuePair.key: String!
RevisionMetadataKeyValuePair.value: String!
SessionType.handle: String!
SessionType.name: String
SessionType.description: String
SessionType.frontendAgentId: String
SessionType.embeds: [SessionEmbed!]!
SessionType.messages: [MessageType!]!
SessionEmbed.key: String!
SessionEmbed.embed: EmbedType!
EmbedType.id: ID!
EmbedType.contentType: String!
EmbedType.created: DateTime
EmbedType.contentHash: String
EmbedType.owner: UserType
EmbedType.url: String!
MessageType.id: ID!
MessageType.text: String!
MessageType.sentBy: MessageSender
MessageType.type: String!
MessageType.inReplyTo: MessageType
MessageType.timestamp: DateTime!
MessageSender.handle: String!
MessageSender.avatar: String
CreateAgentInput.handle: String!
CreateAgentInput.name: String
CreateAgentInput.description: String!
CreateAgentInput.queryUrl: String
CreateAgentInput.funcUrl: String
CreateAgentInput.moreInfoUrl: String
CreateAgentInput.published: Boolean
UpdateAgentInput.handle: String!
UpdateAgentInput.newHandle: String
UpdateAgentInput.name: String
UpdateAgentInput.description: String
UpdateAgentInput.queryUrl: String
UpdateAgentInput.funcUrl: String
UpdateAgentInput.moreInfoUrl: String
UpdateAgentInput.published: Boolean
UpdateAgentInput.currentRevisionId: ID
DeleteAgentInput.owner: String
DeleteAgentInput.handle: String!
RevisionMetadataKeyValuePairInput.key: String!
RevisionMetadataKeyValuePairInput.value: String!
ExternalDeploymentInput.url: String!
ManagedDeploymentInput.environment: DeploymentEnvironment!
ManagedDeploymentInput.codePackage: Upload!
AgentRevisionInput.metadata: [RevisionMetadataKeyValuePairInput!]!
AgentRevisionInput.externalDeployment: ExternalDeploymentInput
AgentRevisionInput.managedDeployment: ManagedDeploymentInput
CreateSessionInput.frontendAgentId: String
SendSessionMessageInput.session: String!
SendSessionMessageInput.text: String!
CreateAgentPayload.agent: AgentType
UpdateAgentPayload.agent: AgentType
DeleteAgentPayload.agent: AgentType
CreateAgentRevisionPayload.revision: AgentRevision
DeleteAgentRevisionPayload.agent: AgentType
CreateSessionPayload.session: SessionType
DeleteSessionPayload.session: SessionType
SendSessionMessagePayload.message: MessageType
SendSessionMessagePayload.response: MessageType
AgentOwner = OrganizationType | UserType
RevisionDeployment = ExternalDeployment | ManagedDeployment
RefreshStatus = FAILED | PENDING | SUCCEEDED
IndexStatus = COMPLETED | FAILED | IN_PROGRESS
DeploymentEnvironment = NODEJS | PYTHON
""".strip().splitlines()
EXPECTED.append(
    "Mutation.createAgentRevision("
    "agentHandle: String!, makeCurrent: Boolean!, revision: AgentRevisionInput!, reindexCorpora: Boolean!"
    "): CreateAgentRevisionPayload"
)
# A field that is added with an argument of its own is no change to these.
ADDED_INPUTS = {"CreateAgentInput.owner"}


def described(served: GraphQLSchema) -> set[str]:
    lines = set()
    for name, kind in served.type_map.items():
        if isinstance(kind, GraphQLUnionType):
            lines.add(f"{name} = {' | '.join(sorted(member.name for member in kind.types))}")
        if isinstance(kind, GraphQLEnumType):
            lines.add(f"{name} = {' | '.join(sorted(kind.values))}")
        for field_name, field in getattr(kind, "fields", {}).items():
            arguments = ", ".join(f"{key}: {given.type}" for key, given in getattr(field, "args", {}).items())
            lines.add(f"{name}.{field_name}{f'({arguments})' if arguments else ''}: {field.type}")
    return lines


def test_the_schema_served_has_every_name_that_programs_rely_on(graphql) -> None:
    served = build_client_schema(graphql(get_introspection_query(descriptions=True)).data)

    assert sorted(set(EXPECTED) - described(served)) == []
    assert served.type_map["DateTime"].description.startswith("ISO 8601")


def test_the_schema_served_is_the_one_in_the_file(graphql) -> None:
    served = build_client_schema(graphql(get_introspection_query()).data)

    assert described(served) == described(schema.executable())


def test_nothing_that_programs_send_became_obligatory() -> None:
    known = {line.partition(":")[0].partition("(")[0] for line in EXPECTED}
    added = {
        f"{name}.{field_name}": field
        for name, kind in schema.executable().type_map.items()
        if name.endswith("Input")
        for field_name, field in getattr(kind, "fields", {}).items()
        if f"{name}.{field_name}" not in known
    }

    assert set(added) == ADDED_INPUTS
    assert not any(str(field.type).endswith("!") for field in added.values())


def test_every_field_has_a_resolver_or_a_value() -> None:
    """Names in the schema that nothing answers would be null for ever without anybody noticing."""
    executable = schema.executable()
    roots = [executable.query_type, executable.mutation_type]

    missing = [
        f"{root.name}.{name}"
        for root in roots
        if root
        for name, field in root.fields.items()
        if field.resolve is None
    ]

    assert missing == []
