// GET /v1/models and /v1/models/NAME in RequestDriver.

#include "dataplane/request_driver.h"
#include "dataplane/worker.h"

namespace gw {

void RequestDriver::ListModels() {
  SetState(State::kWaiting);
  OwnedFields fields = FieldsOfQuestion(*head_);
  // The gateway's own keys say nothing to endpoints.
  if (exchange_.authorized().drops_credentials()) {
    std::erase_if(fields, [](const auto& field) { return HasApiKey(field.first); });
  }
  const SharedModelList list = worker_.model_lists().Get(
      exchange_.snapshot(), exchange_.model_rules(), std::move(fields),
      worker_.environment().random,
      [this](const ModelListAnswer& answer) {
        const auto finished = std::move(model_ticket_);
        AnswerModels(answer);
      },
      &model_ticket_);
  if (list != nullptr) AnswerModels(*list);
}

void RequestDriver::AnswerModels(const ModelListAnswer& list) {
  const std::string& name = exchange_.request().requested_model;
  const ModelListAnswer picked = name.empty() ? ModelListAnswer() : PickModel(list, name);
  const ModelListAnswer& answer = name.empty() ? list : picked;
  if (answer.status == 0) {
    Respond(Rejection::kNoEndpoint);
  } else if (answer.status == 404 && answer.body.empty()) {
    exchange_.OnModelNotListed();
    Respond(Rejection::kUnknownModel);
  } else {
    std::vector<http::HeaderField> fields;
    for (const auto& [field, value] : answer.fields) fields.push_back({field, value});
    RespondWith({answer.status, answer.body, fields}, answer.content_type, 0, Outcome::kComplete);
  }
}

}  // namespace gw
