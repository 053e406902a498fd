// Reads {"secret", "deliveries": [{"headers", "body"}]} and says what each library makes of each delivery: the event's id,
// or why it refuses.
import { readFileSync } from "node:fs";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const { secret, deliveries } = JSON.parse(readFileSync(0, "utf8"));
const libraries = { standardwebhooks: new Standard(secret), svix: new Svix(secret) };
const verdicts = deliveries.map(({ headers, body }) =>
  Object.fromEntries(
    Object.entries(libraries).map(([name, library]) => {
      try {
        library.verify(body, headers);
        return [name, JSON.parse(body).id];
      } catch (error) {
        return [name, `refused: ${error.message}`];
      }
    }),
  ),
);
console.log(JSON.stringify(verdicts));
