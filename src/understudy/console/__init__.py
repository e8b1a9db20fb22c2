"""The Console's server side: who is signed in, the pages' files, and what people save there."""
