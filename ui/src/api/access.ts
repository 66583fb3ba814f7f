// What the person may do, as the server told. It hides nothing: the server decides each request.
import { useQuery } from "@tanstack/react-query";
import { me } from "./queries";
import type { Me } from "./types";

export function may(who: Me | undefined, permission: string, environment?: string): boolean {
  if (who === undefined) return false;
  const here = environment === undefined ? undefined : who.permissions[environment];
  if (here !== undefined) return here.includes(permission);
  if (who.permissions["*"]?.includes(permission)) return true;
  return environment === undefined
    ? Object.values(who.permissions).some((granted) => granted.includes(permission))
    : false;
}

export function useMay(permission: string, environment?: string): boolean {
  return may(useQuery(me).data, permission, environment);
}

/** What counts in every environment: asking for it with less is refused, and recorded as such. */
export function useMayEverywhere(permission: string): boolean {
  const granted = Object.values(useQuery(me).data?.permissions ?? {});
  return granted.length > 0 && granted.every((here) => here.includes(permission));
}
