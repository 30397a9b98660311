/**
 * Says whether a host is this machine and no other: `localhost`, 127.0.0.0/8 or ::1, in brackets or not. No name server of a stranger
 * can point these elsewhere.
 */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || name === "[::1]" || isLoopback4(name);
}

function isLoopback4(name: string): boolean {
  const parts = name.split(".");
  return (
    parts.length === 4 && parts[0] === "127" && parts.every((part) => /^\d{1,3}$/.test(part) && +part < 256)
  );
}
