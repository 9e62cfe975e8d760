"""Names for runs and models that were given none: an adjective, a noun, a number."""

from __future__ import annotations

import random

_ADJECTIVES = (
    "able amber ample apt arctic autumn balanced bold brave breezy bright brisk calm candid careful cheery civil "
    "clear clever coastal copper cosmic crisp curious dapper daring dawning deft dewy eager early earnest even fair "
    "fleet fluent fond frank fresh gentle gifted gleaming golden graceful hale handy hardy honest humble ivory jaunty "
    "jolly keen kind lively loyal lucid lunar mellow merry mild mossy neat nimble noble northern patient placid "
    "plucky polished prompt proud quiet quick ready restful robust rosy rustic sandy serene sharp silver sincere "
    "smooth snowy solid sonic spry stable steady stellar stout sunny swift tidal tidy tranquil trusty upbeat valiant "
    "vivid warm windy wise witty zesty"
)
_NOUNS = (
    "acorn alder anchor anvil apple arrow aspen badger barley basil beacon beech birch bison bobbin bramble breeze "
    "brook bunting canyon cedar cinder clover cobbler comet condor coral cotton crane creek cypress dahlia delta dune "
    "eagle ember falcon fern finch fjord flint forge fossil fox garnet gecko glacier grove gull harbor hazel heron "
    "hickory ibis iris islet jasmine juniper kelp kestrel kite lagoon lantern larch lark lathe linen linnet loom "
    "lotus lynx magnet maple marten meadow mesa mill mint moth nectar newt oak ocelot olive orchid osprey otter "
    "pebble pedal petrel pine plover prairie pulley quail quartz raven reed ridge robin rowan saffron sage shuttle "
    "sparrow spindle spruce swan thistle thrush timber topaz treadle tulip valley violet walnut weaver willow wren "
    "yarrow"
)


def random_name(rng: random.Random) -> str:
    """A name such as `brisk-heron-204`."""
    return f"{rng.choice(_ADJECTIVES.split())}-{rng.choice(_NOUNS.split())}-{rng.randint(0, 999)}"
