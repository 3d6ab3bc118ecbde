import type { Staff } from "./access.ts";

/**
 * What a person may see. `all` for administration and operations; one area for an agent. Written as a value, so that a
 * store can put it into its query instead of filtering afterwards.
 */
export type Sight = { readonly kind: "all" } | { readonly kind: "area"; readonly area: string };

/** Where the person may look. An agent without an area, which the database forbids, would see nothing. */
export function sightOf(staff: Staff): Sight {
  switch (staff.role) {
    case "admin":
    case "operations":
      return { kind: "all" };
    case "agent":
      return { kind: "area", area: staff.area ?? "" };
  }
}

/** Whether something that lies in `area` is visible. */
export function maySee(staff: Staff, area: string): boolean {
  const sight = sightOf(staff);
  return sight.kind === "all" || sight.area === area;
}

/** How a staff member is named in `actor` columns and the audit. */
export function actorOf(staff: Pick<Staff, "id">): string {
  return `staff:${staff.id}`;
}
