"""People's identity from an OpenID Connect provider: offers ports.identity_provider.

Made by controlplane.app_sign_on. Speaks the authorization code flow with PKCE (S256) and nothing
else: no implicit answers, no tokens in addresses. Every request goes through ports.outbound, so
only the issuer's origin and those that the owner's file names are ever asked. Whether a token is
believed stands in trust.id_token; what its groups mean, in the owner's file.

    provider    discovery, keys and their rotation, codes for people
    claims      what a believed token says about a person
"""
