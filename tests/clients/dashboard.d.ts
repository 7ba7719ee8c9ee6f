// What Grafana's own types say a dashboard is, with enums as they are written in JSON. An annotation
// of Grafana's own tags is left out: these types know annotations of data sources only.
import type { Dashboard } from "@grafana/schema";

type Plain<T> = T extends string
  ? `${T}`
  : T extends readonly (infer One)[]
    ? readonly Plain<One>[]
    : T extends object
      ? { readonly [Key in keyof T]: Plain<T[Key]> }
      : T;

export type Written = Plain<Omit<Dashboard, "annotations">>;
