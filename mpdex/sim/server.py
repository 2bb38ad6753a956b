"""Serves simulated venues on loopback ports."""

from __future__ import annotations

from mpdex.sim.venue import SimConnection, SimReply, SimRequest, SimVenue

__all__ = ["SimConnection", "SimReply", "SimRequest", "SimVenue"]
