"""Architecture families: each module has `generator` and `discriminator`."""
