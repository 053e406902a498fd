// What a platform writes first: published events, a webhook without what has a default, and names of enumerations.
import type { components, paths } from "./types";

type Published = paths["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"];

export const one: Published = { type: "record.created", workspace_id: 456, data: { fields: { amount: 1500 } } };
export const many: Published = { events: [{ type: "record.created", user_id: "u1", data: { id: "rec1" } }] };
export const webhook: components["schemas"]["WebhookRequest"] = { name: "My webhook", url: "https://example.com/hook" };
export const status: components["schemas"]["DeliveryStatus"] = "delivered";

// Conditions of a filter within one another, told apart by their operators.
export const filters: components["schemas"]["Filters"] = {
  conditions: {
    operator: "and",
    rules: [
      { field: "status", operator: "in", value: ["open", "new"], ignore_case: true },
      { operator: "not", rules: [{ field: "amount", operator: "less_than", value: 10 }] },
      { field: "tags", operator: "any", where: { field: ".", operator: "equals", value: "urgent" } },
    ],
  },
};
