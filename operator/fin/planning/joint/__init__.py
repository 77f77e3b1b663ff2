"""Several applications planned together, by column generation, with a certificate.

Source: model.md, "Several applications"; column generation as in Desaulniers, Desrosiers
and Solomon (editors), Column Generation, Springer 2005.
"""
