/** Which of several like services of a Victron system counts, and where the others' values stand. */

/**
 * Kept between frames. A quantity is one column, so of two solar chargers one counts: the one that the operator named, or else the one
 * that was heard first. Keeping the same thing twice changes nothing; after a restart the first is anyone's again.
 */
export interface Instances {
  /** Whether this instance is the one of its portal and service that counts. It is from now on where none was yet. */
  counts(portal: string, service: string, instance: string): boolean;
  /** Its topics were cleared, so it is gone: where nobody named it, another may count. */
  left(portal: string, service: string, instance: string): void;
  /** A number below `VALUES_MAX` for each further value of a portal, the same as long as the process lives. */
  placeOf(portal: string, value: string): number;
}

/** More values than any system has twice; past them two may share a millisecond, and one of them is dropped. */
export const VALUES_MAX = 900;

/** `named` holds instances by "portal/service". Only named portals are asked for, so all of it is bounded by their number. */
export function makeInstances({ named }: { named: ReadonlyMap<string, string> }): Instances {
  const heard = new Map<string, string>();
  const places = new Map<string, Map<string, number>>();
  return {
    counts(portal, service, instance) {
      const key = `${portal}/${service}`;
      const first = named.get(key) ?? heard.get(key);
      if (first === undefined) heard.set(key, instance);
      return (first ?? instance) === instance;
    },
    left(portal, service, instance) {
      const key = `${portal}/${service}`;
      if (heard.get(key) === instance) heard.delete(key);
    },
    placeOf(portal, value) {
      let own = places.get(portal);
      if (own === undefined) places.set(portal, (own = new Map()));
      let place = own.get(value);
      if (place === undefined) {
        place = own.size % VALUES_MAX;
        if (own.size < VALUES_MAX) own.set(value, place);
      }
      return place;
    },
  };
}
