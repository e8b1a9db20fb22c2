"""Workload identity: issuers, rules, and the exchange of an issuer's token for one of ours."""
