"""One module per revision, frozen once released: a revision must not import the present tables."""
