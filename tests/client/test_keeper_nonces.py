"""One nonce for the life of a mapping."""

from dataclasses import replace

import pytest

from custom_components.pcp.client.codec import MapRequest
from custom_components.pcp.client.mapping import LeaseState

from .keeper_world import started
from .scripted_server import LIFETIME, key_of, nonce_of, wish_of


def test_nonce_of_a_mapping_does_not_change() -> None:
    """11.2: another nonce for a known mapping is our own mistake; nothing happens."""
    world = started(wish_of())
    before = world.lease()
    with pytest.raises(ValueError, match="nonce"):
        world.want(replace(wish_of(), nonce=bytes(12)))
    assert world.lease() == before
    assert world.new_maps() == []


def test_nonce_is_of_one_mapping() -> None:
    """11.2: answers are told apart by their nonces, so two cannot have the same."""
    world = started(wish_of())
    with pytest.raises(ValueError, match="already"):
        world.want(replace(wish_of(9000), nonce=nonce_of(key_of())))
    assert world.lease(key_of(9000)) is None


def test_new_nonce_while_the_old_mapping_is_released() -> None:
    """11.3: another nonce is refused while the mapping exists: first the delete."""
    world = started(wish_of())
    world.release()
    (delete,) = world.new_maps()
    wish = replace(wish_of(), nonce=b"lease-new---")
    world.want(wish)
    assert world.new_maps() == []
    assert world.state() is LeaseState.RELEASING
    world.receive(world.success(delete))
    (request,) = world.new_maps()
    assert request.nonce == wish.nonce
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED


def test_new_nonce_that_is_not_wanted_any_more() -> None:
    """A successor that was released, or was never the last word, does not come."""
    for take_back in (
        lambda world: world.release(),
        lambda world: (world.want(), world.release()),
    ):
        world = started(wish_of())
        world.release()
        world.want(replace(wish_of(), nonce=b"lease-new---"))
        take_back(world)
        for delete in world.new_maps():
            world.receive(world.success(delete))
        world.run_for(60.0)
        assert world.lease() is None or world.state() is LeaseState.RELEASING


def test_wanted_again_while_it_is_released() -> None:
    """The same nonce asks again at once, for what was assigned."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    world.release()
    world.want()
    delete, request = world.new_maps()
    assert (delete.lifetime, request.lifetime) == (0, LIFETIME)
    assert request.suggested_external_port == 40000
    world.receive(world.success(delete))
    assert world.state() is LeaseState.REQUESTING
    assert world.drops == {"stale": 1}
    world.receive(world.success(request, assigned_external_port=40000))
    assert world.state() is LeaseState.GRANTED


def test_mapping_that_is_gone_is_looked_at() -> None:
    """8: a success with lifetime 0 for a granted mapping means that it may be gone."""
    world = started(wish_of())
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    world.run_for(10.0)
    world.receive(world.success(request, lifetime=0))
    (renewal,) = world.new_maps()
    assert (renewal.lifetime, renewal.nonce) == (LIFETIME, request.nonce)
    assert world.state() is LeaseState.GRANTED


def test_new_nonce_that_was_taken_back() -> None:
    """The old nonce is wanted again after all: the new one is forgotten."""
    world = started(wish_of())
    world.release()
    world.want(replace(wish_of(), nonce=b"lease-new---"))
    world.want()
    world.run_for(20.0)
    world.new()
    world.want()
    world.receive(world.success(world.new_maps()[-1]))
    world.run_for(20.0)
    world.release()
    world.receive(world.success(world.new_maps()[-1]))
    assert world.lease() is None
    assert world.new_maps() == []
