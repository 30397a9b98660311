import fc from "fast-check";
import { expect, it } from "vitest";
import { createJsonEnd } from "../../../../agent/openclaw/answer/json-end.ts";

it("says that an object or list is complete at its last character, and not before, however it is cut", () => {
  const whole = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));
  fc.assert(
    fc.property(whole, fc.integer({ min: 1, max: 5 }), (value, size) => {
      const text = JSON.stringify(value);
      const end = createJsonEnd();
      for (let from = 0; from < text.length; from += size) {
        expect(end.reached).toBe(false);
        end.add(text.slice(from, from + size));
      }
      expect(end.reached).toBe(true);
    }),
  );
});

it("takes no bracket in a text for one of the JSON's own", () => {
  const end = createJsonEnd();
  end.add('{"a\\"}":"}]\\\\');
  expect(end.reached).toBe(false);
  end.add('"}');
  expect(end.reached).toBe(true);
});
