"""The one way out: the guard that says which addresses may be reached, and the client that fetches from them."""
