"""The Messages API: endpoints, rules, the turn and the fold."""
