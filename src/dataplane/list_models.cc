// GET /v1/models and /v1/models/NAME in DownstreamConnection.

#include "dataplane/downstream.h"
#include "dataplane/worker.h"

namespace gw {

void DownstreamConnection::ListModels() {
  SetState(State::kWaiting);
  const SharedModelList list = worker_.model_lists().Get(
      exchange_.snapshot(), exchange_.model_rules(), FieldsOfQuestion(parser_.head()),
      worker_.environment().random,
      [this](const ModelListAnswer& answer) {
        const auto finished = std::move(model_ticket_);
        AnswerModels(answer);
        ContinueInput();
      },
      &model_ticket_);
  if (list != nullptr) AnswerModels(*list);
}

void DownstreamConnection::AnswerModels(const ModelListAnswer& list) {
  const std::string& name = exchange_.request().requested_model;
  const ModelListAnswer picked = name.empty() ? ModelListAnswer() : PickModel(list, name);
  const ModelListAnswer& answer = name.empty() ? list : picked;
  if (answer.status == 0) {
    Respond(Rejection::kNoEndpoint);
  } else if (answer.status == 404 && answer.body.empty()) {
    exchange_.OnModelNotListed();
    Respond(Rejection::kUnknownModel);
  } else {
    RespondWith({answer.status, answer.content_type, answer.body, 0, answer.fields}, keep_alive_,
                Outcome::kComplete);
  }
}

}  // namespace gw
