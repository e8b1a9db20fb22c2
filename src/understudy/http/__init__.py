"""The envelope around every route: ids, credentials, versions and betas, body limits, errors, compression."""
