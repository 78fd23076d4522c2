"""Names for sessions that people can say: stormy-luxuriant-ferryboat."""

import secrets

# ruff: noqa: SIM905 - words are easier to read and to add to as text
_MOODS = """
amber ancient arctic autumn balmy blue bold brave breezy bright brisk calm candid cheerful clear clever cosmic
cozy crimson crisp curious daring dawn deep distant dreamy eager early earnest electric emerald fabled fair
fearless fleet gentle gilded glad golden grand happy hazel hidden honest humble icy indigo jolly keen kind
lively lofty loud loyal lucid lucky lunar mellow merry mighty misty modest noble northern olive opal patient
pearl placid playful polar proud quick quiet rapid restless rosy royal rustic sandy scarlet serene sharp shy
silent silver sleepy smooth snowy solar southern spry steady stormy sturdy sunny swift tawny tender tidal tiny
tranquil upbeat velvet vivid warm wild windy wise witty woven young zesty
""".split()
_LOOKS = """
abundant airy ample artful baked braided carved chiming coastal copper coral crystal curved dancing dappled
drifting dusky elegant endless faceted feathered flowing folded forest frosted garden glassy gleaming glowing
granite grassy hanging harvest highland hollow hovering humming inland ivory jade jeweled knitted lacquered
leafy linen luminous luxuriant maple marble meadow melodic mirrored mossy mountain nested orchard painted
papery patterned pebbled plaited polished quilted radiant rippling river rolling rounded sailing satin shaded
shining silken singing sloping soaring sparkling speckled spiral spotted starlit striped sunlit tall tiled
timber towering trailing turning upland verdant walnut wandering waxen whirling whistling wicker winding
wooden
""".split()
_THINGS = """
acorn anchor atlas badger balloon barge basket beacon bell bicycle bison bridge brook cabin canoe canyon
caravan castle cedar cello comet compass cottage crane cricket delta dolphin donkey drum dune eagle easel
falcon feather ferryboat fiddle finch firefly flute fountain fox galaxy gazelle glacier glider gondola goose
grove harbor heron hill island kayak kestrel kettle kite lagoon lantern lark lighthouse lynx magnet mandolin
marmot meteor mill mitten monsoon moose nebula oasis oboe orchid otter owl paddle panda parade pebble pelican
pigeon pine plateau pond prairie puffin quail rabbit raft raven reef robin rocket saddle sailboat salmon
satchel seal shore sleigh sparrow spruce squirrel stream sundial swallow telescope thicket thistle trail
trumpet tulip turtle valley violin volcano wagon walrus waterfall whale willow windmill wren yak zebra
""".split()


def new() -> str:
    """One of some 1.5 million. A handle names a session of its owner; it is not a secret."""
    rest, thing = divmod(secrets.randbelow(len(_MOODS) * len(_LOOKS) * len(_THINGS)), len(_THINGS))
    mood, look = divmod(rest, len(_LOOKS))
    return f"{_MOODS[mood]}-{_LOOKS[look]}-{_THINGS[thing]}"
