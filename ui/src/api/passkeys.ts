// Passkeys as the browser has them, and as the API takes them: bytes are base64url.
import type { PasskeyBegun, SecondAnswer, SecondStep, SignedYes, ToSign } from "./types";

type Made = { client_data: string; attestation: string };

/** Whether this browser, at this address, can use the passkeys of a relying party. */
export function canUse(party: string): boolean {
  const here = location.hostname;
  const named = here === party || here.endsWith(`.${party}`);
  return "PublicKeyCredential" in window && party !== "" && named;
}

export async function make(begun: PasskeyBegun, name: string): Promise<Made> {
  const made = (await navigator.credentials.create({
    publicKey: {
      challenge: bytes(begun.challenge),
      rp: { id: begun.party, name: "SentienGuard" },
      user: { id: bytes(begun.user), name, displayName: name },
      pubKeyCredParams: begun.algorithms.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: begun.exclude.map((id) => ({ type: "public-key", id: bytes(id) })),
      authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
      attestation: "none",
      timeout: 120_000,
    },
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return {
    client_data: text(response.clientDataJSON),
    attestation: text(response.attestationObject),
  };
}

export async function answer(step: SecondStep): Promise<SecondAnswer> {
  return { ticket: step.ticket, passkey: await ask(step) };
}

/** The approval of exactly one order, signed by a passkey that hosts know by their root. */
export async function sign(wanted: ToSign): Promise<SignedYes> {
  return { payload: wanted.payload, ssh: "", keyid: "", sig: "", passkey: await ask(wanted) };
}

async function ask(step: Pick<ToSign, "challenge" | "party" | "credentials">) {
  const given = (await navigator.credentials.get({
    publicKey: {
      challenge: bytes(step.challenge),
      rpId: step.party,
      allowCredentials: step.credentials.map((id) => ({ type: "public-key", id: bytes(id) })),
      userVerification: "required",
      timeout: 120_000,
    },
  })) as PublicKeyCredential;
  const response = given.response as AuthenticatorAssertionResponse;
  return {
    credential: text(given.rawId),
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.authenticatorData),
    signature: text(response.signature),
  };
}

function bytes(written: string): Uint8Array<ArrayBuffer> {
  const plain = atob(written.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
}

function text(data: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(data));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
