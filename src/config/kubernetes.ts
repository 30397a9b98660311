/** Names that Kubernetes makes of a service's name besides `NAME_PORT`, as `VALINOR_SERVER_PORT_8080_TCP_ADDR`. */
const NAMES = /_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/** What `NAME_PORT` holds: `tcp://10.96.0.12:8080`. */
const VALUE = /^(tcp|udp|sctp):\/\//;

/**
 * Whether a variable is one of those that Kubernetes sets in every container of a namespace for each service, whatever the service is
 * called. If one is called `valinor-server`, they look like settings: VALINOR_SERVER_PORT even is one, but has another value.
 */
export function isOfKubernetes(name: string, value: string | undefined): boolean {
  return NAMES.test(name) || (name.endsWith("_PORT") && VALUE.test(value ?? ""));
}
